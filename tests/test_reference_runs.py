"""The stored reference runs: complete, unchanged, small, and readable by what reads any run."""

import hashlib
import json
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from alphaxenas.config import PROJECT_ROOT
from alphaxenas.report import load_suite

EXP, EVENTS = PROJECT_ROOT / "exp", PROJECT_ROOT / "tensorboard_log"
STORED = sorted(path.name for path in EXP.glob("reference-*"))
SUITES = [name for name in STORED if (EXP / name / "notebooks").is_dir()]
"""The others hold the table of a benchmark."""


def stored_files():
    listed = subprocess.run(
        ["git", "ls-files", "-z", "exp", "tensorboard_log"], cwd=PROJECT_ROOT, capture_output=True, text=True
    )
    if listed.returncode:
        pytest.skip("this is no git checkout: which files are stored cannot be told")
    return [PROJECT_ROOT / name for name in listed.stdout.split("\0") if "/reference-" in name]


def test_the_reference_runs_are_there():
    assert {"reference-quick", "reference-cifar10-cpu", "reference-zoo-cpu"} <= set(SUITES)


@pytest.mark.parametrize("suite", STORED)
def test_reference_run_is_what_its_checksums_say(suite):
    sums = dict(reversed(line.split("  ", 1)) for line in (EXP / suite / "SHA256SUMS").read_text().splitlines())
    assert sums, "no checksums"
    for name, expected in sums.items():
        assert hashlib.sha256((PROJECT_ROOT / name).read_bytes()).hexdigest() == expected, name


def test_every_stored_file_has_a_checksum():
    sums = "".join((EXP / suite / "SHA256SUMS").read_text() for suite in STORED)
    missing = [
        path for path in stored_files() if path.name != "SHA256SUMS" and str(path.relative_to(PROJECT_ROOT)) not in sums
    ]
    assert not missing


def test_reference_runs_are_small():
    files = stored_files()
    networks = [path for path in files if path.suffix == ".keras"]
    assert len(networks) == 1 and networks[0].stat().st_size < 3e6
    assert sum(path.stat().st_size for path in files if path not in networks) < 5e6
    assert all(path.stat().st_size < 1e6 for path in files if path not in networks)


@pytest.mark.parametrize("suite", SUITES)
def test_reference_run_is_finished_and_reads_like_any_run(suite):
    stored = load_suite(suite, EXP)
    assert stored.final and (stored.searches or suite == "reference-zoo-cpu")
    for run in stored.runs:
        assert run.results is not None
        assert (EVENTS / suite / run.stage).is_dir()
    notebooks = sorted(path.stem[:2] for path in (EXP / suite / "notebooks").glob("*.ipynb"))
    expected = ["01", "02", *(["03"] if stored.densenet else []), "04", "05"]
    assert notebooks == (expected if stored.searches else ["04"])
    for path in (EXP / suite / "notebooks").glob("*.ipynb"):
        outputs = [output for cell in json.loads(path.read_text())["cells"] for output in cell.get("outputs", [])]
        assert outputs and not any(output["output_type"] == "error" for output in outputs)


def test_the_stored_network_classifies_a_photo_as_the_documentation_says(tmp_path):
    text = (PROJECT_ROOT / "docs" / "notebooks.md").read_text(encoding="utf-8")
    program = re.search(r"^```python\n(# classify.py.*?)^```$", text, re.MULTILINE | re.DOTALL)[1]
    pixels = np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.jpg")
    command = [sys.executable, "-c", program, str(tmp_path / "photo.jpg")]
    said = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(said) == 3 and all(re.fullmatch(r"[a-z]+: \d+%", line) for line in said)
