"""What a result depends on besides its parameters: package versions, machine, git revision."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import subprocess
from pathlib import Path
from typing import Any

_PACKAGES = ("tensorflow", "keras", "numpy", "scikit-learn", "matplotlib", "papermill", "tensorboard")


def provenance() -> dict[str, Any]:
    """What a result depends on besides its parameters: package versions, machine and git revision, as JSON values."""
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    from alphaxenas import __version__

    versions["alphaxenas"] = __version__
    return {"versions": versions, "machine": _machine(), "revision": git_revision()}


def usable_cores() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _machine() -> dict[str, Any]:
    model = re.search(r"model name\s*:\s*(.+)", _read("/proc/cpuinfo"))
    memory = re.search(r"MemTotal:\s*(\d+)", _read("/proc/meminfo"))
    gpus = [
        re.search(r"Model:\s*(.+)", _read(str(file))) for file in Path("/proc/driver/nvidia/gpus").glob("*/information")
    ]
    return {
        "host": platform.node(),
        "system": platform.platform(),
        "processor": model[1] if model else platform.processor(),
        "cores": usable_cores(),
        "memory_gib": round(int(memory[1]) / 2**20, 1) if memory else None,
        "gpus": [gpu[1] for gpu in gpus if gpu],
    }


def _read(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""


def git_revision() -> str | None:
    """The git revision of the project, with `+` when files differ from it; None outside git."""
    root = str(Path(__file__).resolve().parents[2])
    try:
        answers = [
            subprocess.run(
                ["git", "-C", root, *words], capture_output=True, text=True, timeout=10, check=True
            ).stdout.strip()
            for words in (("rev-parse", "--show-toplevel", "HEAD"), ("status", "--porcelain", "--untracked-files=no"))
        ]
    except (OSError, subprocess.SubprocessError):
        return None
    top, revision = answers[0].splitlines()
    return revision + ("+" if answers[1] else "") if Path(top) == Path(root) else None
