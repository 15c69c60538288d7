"""The linter and the formatter find nothing; their rules are in pyproject.toml."""

import subprocess
import sys

import pytest

from alphaxenas.config import PROJECT_ROOT


@pytest.mark.parametrize("words", [("check",), ("format", "--check")])
def test_ruff_finds_nothing(words):
    command = [sys.executable, "-m", "ruff", *words, "--no-cache", "."]
    result = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
