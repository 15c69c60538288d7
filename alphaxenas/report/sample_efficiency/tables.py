"""Tables of a study of sample efficiency as pandas frames; `alphaxenas.report.tables.formatted` makes them readable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas

from alphaxenas.report.sample_efficiency.journals import Study, name_of
from alphaxenas.report.sample_efficiency.measures import Contrast, as_json, contrasts, efficiencies, headline, verdict
from alphaxenas.report.tables import frame, records, verdict_columns


def efficiency_table(study: Study) -> pandas.DataFrame:
    """Queries of every controller on every table; `low` and `high` bound the 95 % interval of the mean.

    The mean is restricted: a search without success counts as its cap. Where `found %` is below 100, the true mean is
    larger.
    """
    rows = [
        {
            "table": each.table,
            "controller": name_of(each.controller),
            "seeds": each.queries.count,
            "found %": 100 * each.found,
            "restricted mean queries": each.queries.mean,
            "low": each.queries.low,
            "high": each.queries.high,
            "median queries": each.median,
            "missing": each.missing,
            "CPU seconds": each.seconds,
            "CPU ms per query": 1000 * each.seconds / max(1, each.asked),
        }
        for each in efficiencies(study)
    ]
    columns = "table, controller, seeds, found %, restricted mean queries, low, high, median queries"
    return frame(rows, f"{columns}, missing, CPU seconds, CPU ms per query", 2)


def contrast_table(compared: Sequence[Contrast]) -> pandas.DataFrame:
    """Paired comparisons: queries that the better one saves, 95 % interval, exact test after Holm's correction, and
    verdict; what is not shown comes first.
    """
    rows = [
        {
            "table": each.table,
            "fewer queries": name_of(each.first),
            "than": name_of(each.second),
            "saved": each.saved.mean,
            **verdict_columns(each.saved),
        }
        for each in sorted(compared, key=lambda each: each.saved.shown)
    ]
    return frame(rows, "table, fewer queries, than, saved, low, high, corrected p, verdict", 3)


def final_report_table(study: Study) -> pandas.DataFrame:
    """Value of the report column for what the signal had selected when the searches ended, beside the best there is.

    Returns:
        One row per table and controller; empty where no table has a report column.
    """
    rows = []
    for table, controller in dict.fromkeys(place[:2] for place in study.searches):
        searches = list(study.of(table, controller).values())
        best = searches[0].header["best_report"]
        if best is not None and len(searches[0].columns):
            selected = float(np.mean([search.selected_report[-1] for search in searches]))
            rows.append((table, name_of(controller), len(searches), selected, best, best - selected))
    columns = "table, controller, seeds, reported, best of the table, regret of the report"
    return frame([dict(zip(columns.split(", "), row)) for row in rows], columns, 2)


def conclusions(study: Study, parts: Study, leader: str, failures: Mapping[str, str]) -> dict[str, Any]:
    """The content of results.json of a study.

    Args:
        study: The searches.
        parts: Those of the ablation.
        leader: Label of the controller that the verdicts are about.
        failures: Why searches failed, by journal.
    """
    return {
        "headline": headline(study),
        "queries": as_json(study),
        "verdicts": verdict(study, leader),
        "contrasts": records(contrast_table(contrasts(study))),
        "ablation": as_json(parts),
        "failures": dict(failures),
    }
