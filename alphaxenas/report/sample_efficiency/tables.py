"""Tables of a study of sample efficiency as pandas frames; `alphaxenas.report.tables.formatted` makes them readable."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas

from alphaxenas.report.sample_efficiency.journals import Study, name_of
from alphaxenas.report.sample_efficiency.measures import Contrast, efficiencies

COLUMNS = [
    "seeds",
    "found %",
    "restricted mean queries",
    "low",
    "high",
    "median queries",
    "missing",
    "CPU seconds",
    "CPU ms per query",
]


def efficiency_table(study: Study) -> pandas.DataFrame:
    """Queries of every controller on every table; `low` and `high` bound the 95 % interval of the mean.

    The mean is restricted: a search without success counts as its cap. Where `found %` is below 100, the true mean is
    larger.
    """
    rows = []
    for each in efficiencies(study):
        asked = sum(search.ended["queries"] for search in study.of(each.table, each.controller).values())
        rows.append(
            {
                "table": each.table,
                "controller": name_of(each.controller),
                "seeds": each.queries.count,
                "restricted mean queries": each.queries.mean,
                "low": each.queries.low,
                "high": each.queries.high,
                "median queries": each.median,
                "found %": 100 * each.found,
                "missing": each.missing,
                "CPU seconds": each.seconds,
                "CPU ms per query": 1000 * each.seconds / max(1, asked),
            }
        )
    frame = pandas.DataFrame(rows, columns=["table", "controller", *COLUMNS]).set_index(["table", "controller"])
    return frame.apply(pandas.to_numeric)


def contrast_table(contrasts: Sequence[Contrast]) -> pandas.DataFrame:
    """Paired comparisons: queries that the better one saves, 95 % interval, exact test after Holm's correction, and
    verdict; what is not shown comes first.
    """
    rows = [
        {
            "table": each.table,
            "fewer queries": name_of(each.first),
            "than": name_of(each.second),
            "saved": each.saved.mean,
            "low": each.saved.low,
            "high": each.saved.high,
            "corrected p": each.saved.p,
            "verdict": f"{each.saved.verdict}: {each.saved.reason}",
        }
        for each in sorted(contrasts, key=lambda each: each.saved.shown)
    ]
    columns = ["table", "fewer queries", "than", "saved", "low", "high", "corrected p", "verdict"]
    frame = pandas.DataFrame(rows, columns=columns).set_index(["table", "fewer queries", "than"])
    return frame.assign(**{name: pandas.to_numeric(frame[name]) for name in columns[3:-1]})


def final_report_table(study: Study) -> pandas.DataFrame:
    """Value of the report column for what the signal had selected when the searches ended, beside the best there is.

    Returns:
        One row per table and controller; empty where no table has a report column.
    """
    rows = []
    for (table, controller), group in _groups(study).items():
        best = group[0].header["best_report"]
        if best is not None and len(group[0].columns):
            selected = np.array([search.selected_report[-1] for search in group])
            rows.append(
                {
                    "table": table,
                    "controller": name_of(controller),
                    "seeds": len(group),
                    "reported": selected.mean(),
                    "best of the table": best,
                    "regret of the report": best - selected.mean(),
                }
            )
    columns = ["table", "controller", "seeds", "reported", "best of the table", "regret of the report"]
    return pandas.DataFrame(rows, columns=columns).set_index(["table", "controller"])


def _groups(study: Study) -> dict[tuple[str, str], list]:
    found: dict[tuple[str, str], list] = {}
    for (table, controller, _), search in study.searches.items():
        found.setdefault((table, controller), []).append(search)
    return found
