"""Linter, formatter and type checker find nothing; their rules are in pyproject.toml."""

import subprocess
import sys

import pytest

from alphaxenas.config import PROJECT_ROOT


@pytest.mark.parametrize("words", [("check",), ("format", "--check")])
def test_ruff_finds_nothing(words):
    command = [sys.executable, "-m", "ruff", *words, "--no-cache", "."]
    result = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def test_types_hold():
    """Every function is checked, annotated or not; TensorFlow and other libraries without types count as `Any`."""
    command = [sys.executable, "-m", "mypy", "alphaxenas"]
    result = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
