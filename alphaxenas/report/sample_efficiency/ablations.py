"""What each part of AlphaXENAS is worth: recorded searches with all parts against searches without one of them.

Read are the results of the benchmarks (`benchmarks/results/*.json`): searches on tables, replays of trained pools, and
searches on images. Searches of equal seed are paired; a part is worth something where the rule of
`alphaxenas.report.statistics` shows it, after Holm's correction over all rows.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas

from alphaxenas.config import PROJECT_ROOT
from alphaxenas.report.equal_cost import DECISIVE
from alphaxenas.report.statistics import compare_many
from alphaxenas.report.tables import frame, verdict_columns

RESULTS = PROJECT_ROOT / "benchmarks" / "results"
FLAGSHIP = "alphaxenas"
PARTS = {
    "planning=rollouts": "the tree",
    "prior=uniform": "the LSTM's move probabilities",
    "move_rule=puct": "sequential halving at the root (PUCT instead)",
    "climb=false": "climbing after the tree search",
    "free_features=false": "size and depth",
    "share_weights=false": "shared weights",
}
"""Setting of AlphaXENAS that takes a part away, and the part."""
PROXIES = "proxies"
"""The part that searches have whose names end with `+` and proxies."""
BySeed = Mapping[int, float]


def ablations(folder: Path | str = RESULTS) -> pandas.DataFrame:
    """Every part in every result that has searches with it and without it.

    Args:
        folder: Of the recorded results.

    Returns:
        One row per part and result: what the part is worth on average, in the unit that the row names, its 95 %
        interval, test and verdict; by parts. Empty without results.
    """
    pairs, units = {}, {}
    for path in sorted(Path(folder).glob("*.json")):
        result = json.loads(path.read_text(encoding="utf-8"))
        for part, whole, without in _pairs(result.get("values") or {}):
            values = _values(result, whole, without)
            if values is not None:
                units[part, path.stem, whole], *pairs[part, path.stem, whole] = values
    found = compare_many(pairs)  # type: ignore[arg-type]
    order = [*PARTS.values(), PROXIES]
    rows = [
        {
            "without": part,
            "result": ", ".join([name, *filter(None, [whole.partition("+")[2].replace(",", ", ")])]),
            "seeds": one.n,
            "the part is worth": one.mean,
            "unit": units[part, name, whole],
            **verdict_columns(one),
        }
        for (part, name, whole), one in sorted(found.items(), key=lambda item: order.index(item[0][0]))
    ]
    return frame(rows, "without, result, seeds, the part is worth, unit, low, high, corrected p, verdict", 2)


def worth(table: pandas.DataFrame) -> list[str]:
    """A sentence per part: where it is shown to help or to harm; those that nothing speaks for come first.

    Args:
        table: See `ablations`.
    """
    said = []
    for part, rows in table.groupby(level=0, sort=False):
        shown = rows[rows["verdict"].str.startswith("shown")]
        gains, losses = (int((sign * shown["the part is worth"] > 0).sum()) for sign in (1, -1))
        parts = [f"shown to help in {gains} of {len(rows)} results" if gains else ""]
        parts += [f"shown to **harm** in {losses} of {len(rows)} results" if losses else ""]
        text = " and ".join(filter(None, parts)) or f"**not shown** to be worth anything in {len(rows)} results"
        said.append((gains - losses, f"{part}: {text}."))
    return [sentence for _, sentence in sorted(said, key=lambda pair: pair[0] > 0)] or ["No ablation is recorded."]


def _pairs(values: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Part, search with it and search without it, of all methods of a result."""
    for method in values:
        words, plus, proxies = method.partition("+")
        head, _, setting = words.partition(":")
        if head == FLAGSHIP and setting in PARTS:
            yield PARTS[setting], f"{FLAGSHIP}{plus}{proxies}", method
        elif method.startswith(f"{FLAGSHIP}+"):
            yield PROXIES, method, FLAGSHIP


def _values(result: Mapping[str, Any], whole: str, without: str) -> tuple[str, BySeed, BySeed] | None:
    """Unit, and values of both searches by seed, more being better; None where the result lacks one of them."""
    values = result["values"]
    if result["benchmark"] == "search_vs_random":
        measured = values[without].get(DECISIVE) if result["figures"]["compared"] == whole else None
        if measured is None:
            return None
        sides = (dict(zip(measured["seeds"], measured[side])) for side in ("ours", "theirs"))
        return "points", *({seed: 100 * value for seed, value in side.items()} for side in sides)  # type: ignore[return-value]
    if whole not in values or without not in values:
        return None
    if result["benchmark"] == "tables":
        return _of_table(result, whole, without)
    if "marks" in result["figures"]:
        sides = ({int(seed): -float(np.mean(each)) for seed, each in values[one].items()} for one in (whole, without))
        return "points, mean over marks", *sides  # type: ignore[return-value]
    return None


def _of_table(result: Mapping[str, Any], whole: str, without: str) -> tuple[str, BySeed, BySeed]:
    """Of searches on a table: what was selected after so many queries, on other data if it was judged by such; where
    that is not recorded, the queries to the goal.
    """
    sides = [result["values"][one] for one in (whole, without)]
    kind = next((kind for kind in ("report_", "best_") if any(name.startswith(kind) for name in sides[0])), None)
    if kind is None:
        cap = result["figures"]["cap"]
        costs = [[number if met else cap for number, met in zip(side["queries"], side["found"])] for side in sides]
        ours, theirs = (dict(enumerate(-float(cost) for cost in each)) for each in costs)
        return "queries saved", ours, theirs
    marks = [np.array([each for name, each in side.items() if name.startswith(kind)], float) for side in sides]
    scale = 100.0 if max(each.max() for each in marks) <= 1 else 1.0
    ours, theirs = (dict(enumerate((scale * each.mean(axis=0)).tolist())) for each in marks)
    return "points, mean over marks", ours, theirs
