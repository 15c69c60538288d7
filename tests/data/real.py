"""Where the real tables are, if they are: tests that need one skip without it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def real_table(name: str) -> Path:
    """A file in ALPHAXENAS_DATA, data/ or shared/data (in or beside the checkout), or a skipped test."""
    places = [ROOT / "data", ROOT / "shared" / "data", ROOT.parent / "shared" / "data"]
    if named := os.environ.get("ALPHAXENAS_DATA"):
        places.insert(0, Path(named))
    for place in places:
        if (place / name).is_file():
            return place / name
    pytest.skip(f"no {name} in ALPHAXENAS_DATA, data/ or shared/data")
