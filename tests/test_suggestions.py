"""The one place where a misspelt name meets the one that was meant."""

from __future__ import annotations

from pathlib import Path

import pytest

import alphaxenas
from alphaxenas.suggestions import did_you_mean

NAMES = ("cifar10", "cifar100", "MaxPool3x3", "b0")


@pytest.mark.parametrize(
    ("received", "suggestion"),
    [
        ("cifar", ". Did you mean 'cifar10'?"),
        ("maxpool3", ". Did you mean 'MaxPool3x3'?"),
        ("CIFAR-100", ". Did you mean 'cifar100'?"),
        ("zzz", ""),
        ("", ""),
        (None, ""),
        (7, ""),
    ],
)
def test_the_nearest_name_is_named_as_it_is_written_and_nothing_where_none_is_near(received, suggestion):
    assert did_you_mean(received, NAMES) == suggestion
    assert did_you_mean(received, ()) == ""


def test_no_other_module_searches_for_near_names():
    sources = Path(alphaxenas.__file__).parent.rglob("*.py")
    assert [path.name for path in sources if "difflib" in path.read_text(encoding="utf-8")] == ["suggestions.py"]
