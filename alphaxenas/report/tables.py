"""Tables of stored runs as pandas frames with plain numbers; `formatted` makes them readable in a notebook."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas

from alphaxenas.report.diagnostic_figures import PREDICTED
from alphaxenas.report.equal_cost import (
    REFERENCE,
    Comparisons,
    best_so_far,
    common_end,
    cumulative_cost,
    fidelity_correlation,
    images_trained,
    is_cached,
    is_trained,
)
from alphaxenas.report.figures import model_name
from alphaxenas.report.runs import NAMES, Groups, StoredRun, Suite, best_records
from alphaxenas.report.statistics import interval

if TYPE_CHECKING:
    from pandas.io.formats.style import Styler

BACKWARD = 3
"""A training pass costs about three times the multiply-adds of a prediction: forward, and twice as much backward."""
_DECIMALS = {
    "validation": 4,
    "mean": 4,
    "value": 4,
    REFERENCE: 4,
    "low": 4,
    "high": 4,
    "test": 4,
    "difference": 4,
    "training multiply-adds (10¹²)": 3,
    "corrected p": 4,
    "policy loss": 3,
    "value loss": 3,
    "held-out rank correlation": 2,
    "rank correlation search / final": 2,
    "restricted mean queries": 1,
    "median queries": 1,
    "saved": 1,
    "standard error": 4,
    "spread": 4,
    "missing": 1,
    "CPU seconds": 1,
    "CPU ms per query": 3,
    "reported": 4,
    "best of the table": 4,
    "regret of the report": 4,
    "published": 3,
    "regret": 3,
    "mean rank": 1,
    "Kendall's tau": 2,
}
_QUERIES = ("restricted mean queries", "saved")
"""Columns whose bounds are numbers of queries, not accuracies."""
_WIDE = ("architecture", "evidence", "what is asked", "verdict")


def comparison(suite: Suite, groups: Groups) -> pandas.DataFrame:
    """Searched networks, random search and DenseNet side by side.

    Rows of searches give the best child at the final budget, as the mean over seeds at equal trials, with its interval;
    cost is that of one seed on average. Rows of full trainings give one network each. The two kinds are trained
    differently, so only rows with equal `trained for` are comparable.

    Args:
        suite: Holds the full trainings.
        groups: Searches by label, see `runs.load_groups`.

    Returns:
        One row per search and per fully trained network.
    """
    rows = []
    end = common_end([run for runs in groups.values() for run in runs], "trials")
    for label, runs in groups.items():
        bests = [best for run in runs if np.isfinite(best := best_so_far(run, "trials", np.array([end]))[0])]
        if not bests:
            continue
        spread, (_, best) = interval(bests), best_records(runs, 1)[0]
        rows.append(
            {
                "network": f"best child, {label}",
                "trained for": _budget(best),
                "seeds": spread.count,
                "validation": spread.mean,
                "low": spread.low,
                "high": spread.high,
                "parameters": best["metrics"].get("parameters"),
                "multiply-adds": best["metrics"].get("multiply_adds"),
                "trials": np.mean([cumulative_cost(run, "trials")[-1] for run in runs]),
                "images trained": np.mean([images_trained(run).sum() for run in runs]),
                "seconds": np.mean([cumulative_cost(run, "seconds")[-1] for run in runs]),
            }
        )
    for run in (run for run in (suite.final, suite.densenet) if run is not None):
        for number, model in enumerate(run.models):
            chosen = number == run.outcome["chosen"]
            rows.append(
                {
                    "network": model_name(model),
                    "trained for": f"{model['epochs']} epochs, in full",
                    "seeds": 1,
                    "validation": model["validation_accuracy"],
                    "test": run.outcome["test_accuracy"] if chosen else None,
                    "parameters": model["parameters"],
                    "multiply-adds": model["multiply_adds"],
                    "trials": 1,
                    "images trained": sum(record["images"] for record in model["history"]),
                    "seconds": model["seconds"],
                }
            )
    columns = (
        "network, trained for, seeds, validation, low, high, test, parameters, multiply-adds, trials, "
        "images trained, seconds"
    ).split(", ")
    return _numbers(pandas.DataFrame(rows, columns=columns).set_index("network"), columns[2:])


def best_architectures(groups: Groups, count: int = 5) -> pandas.DataFrame:
    """The best architectures over all seeds of each search, each once, by validation accuracy at the final budget.

    Args:
        groups: Searches by label.
        count: Rows per search, at most.
    """
    rows = []
    for label, runs in groups.items():
        for rank, (run, record) in enumerate(best_records(runs, count), 1):
            rows.append(
                {
                    "search": label,
                    "rank": rank,
                    "validation": record["reward"],
                    "parameters": record["metrics"].get("parameters"),
                    "multiply-adds": record["metrics"].get("multiply_adds"),
                    "seed": run.seed,
                    "trial": record["trial"],
                    "architecture": record["architecture"],
                }
            )
    columns = ["search", "rank", "validation", "parameters", "multiply-adds", "seed", "trial", "architecture"]
    return pandas.DataFrame(rows, columns=columns).set_index(["search", "rank"])


def differences(comparisons: Comparisons) -> pandas.DataFrame:
    """Paired differences from random search with interval, exact test after Holm's correction, and verdict.

    Args:
        comparisons: See `equal_cost.compare_each`.
    """
    rows = [
        {
            "search": label,
            "measure": measure,
            "seeds": each.n,
            "mean": np.mean(each.ours),
            REFERENCE: np.mean(each.theirs),
            "difference": each.mean,
            "low": each.low,
            "high": each.high,
            "corrected p": each.p,
            "verdict": f"{each.verdict}: {each.reason}",
        }
        for label, found in comparisons.items()
        for measure, each in found.items()
    ]
    columns = ["search", "measure", "seeds", "mean", REFERENCE, "difference", "low", "high", "corrected p", "verdict"]
    return _numbers(pandas.DataFrame(rows, columns=columns).set_index(["search", "measure"]), columns[3:-1])


def per_seed(comparisons: Comparisons) -> pandas.DataFrame:
    """The numbers behind the first difference of every search."""
    rows = [
        {
            "search": label,
            "measure": measure,
            "seed": seed,
            "value": ours,
            REFERENCE: theirs,
            "difference": ours - theirs,
        }
        for label, found in comparisons.items()
        for measure, first in list(found.items())[:1]
        for seed, ours, theirs in zip(first.seeds, first.ours, first.theirs)
    ]
    columns = ["search", "measure", "seed", "value", REFERENCE, "difference"]
    return pandas.DataFrame(rows, columns=columns).set_index(columns[:3])


def costs(runs: Sequence[StoredRun]) -> pandas.DataFrame:
    """What every run cost, failed children included."""
    rows = []
    for run in runs:
        if run.stage in ("final", "densenet"):
            models = {model["name"]: model for model in run.models}
            images = [record["images"] for record in run.records]
            adds = [
                record["images"] * models.get(record["name"], {}).get("multiply_adds", np.nan) for record in run.records
            ]
            counts: dict[str, Any] = {"trained": len({record["name"] for record in run.records})}
            # Of a network still in training the journal tells the seconds so far, in its last line.
            so_far = {record["name"]: record["seconds"] for record in run.records}
            training = seconds = sum(models.get(name, {}).get("seconds", latest) for name, latest in so_far.items())
        else:
            images = list(images_trained(run))
            adds = [count * record["metrics"].get("multiply_adds", 0.0) for count, record in zip(images, run.records)]
            counts = {
                "trained": sum(map(is_trained, run.records)),
                "failed": sum(record["status"] == "failed" for record in run.records),
                "known": sum(map(is_cached, run.records)),
                "scored again": sum(record["purpose"] == "refresh" for record in run.records),
            }
            training = sum(record["seconds"] for record in run.records if not is_cached(record))
            seconds = cumulative_cost(run, "seconds")[-1]
        rows.append(
            {
                "run": f"{run.suite}/{run.stage}",
                **counts,
                "images trained": sum(images),
                "training multiply-adds (10¹²)": BACKWARD * sum(adds) / 1e12,
                "of which training": training,
                "seconds": max(seconds, (run.results or {}).get("seconds", 0.0)),
            }
        )
    columns = (
        "run, trained, failed, known, scored again, images trained, training multiply-adds (10¹²), seconds, "
        "of which training"
    ).split(", ")
    table = _numbers(pandas.DataFrame(rows, columns=columns).set_index("run"), columns[1:])
    if len(table) > 1:
        table.loc["all"] = table.sum()
    return table


def search_diagnostics(runs: Sequence[StoredRun]) -> pandas.DataFrame:
    """Where tree and predictions had arrived at the end of every search, and how well the search budget predicts the
    final one.
    """
    rows = []
    for run in runs:
        last: dict[str, float] = {}
        for record in run.records:
            last |= record["diagnostics"]
        correlation, pairs = fidelity_correlation(run)
        rows.append(
            {
                "run": f"{NAMES.get(run.controller, run.controller)}, seed {run.seed}",
                "iterations": last.get("search/iterations"),
                "nodes": last.get("tree/nodes"),
                "visits": last.get("tree/visits"),
                "policy loss": last.get("lstm/policy_loss"),
                "value loss": last.get("lstm/value_loss"),
                "held-out rank correlation": next((last[tag] for tag in PREDICTED if tag in last), None),
                "rank correlation search / final": correlation,
                "from architectures": pairs,
            }
        )
    columns = (
        "run, iterations, nodes, visits, policy loss, value loss, held-out rank correlation, "
        "rank correlation search / final, from architectures"
    ).split(", ")
    return _numbers(pandas.DataFrame(rows, columns=columns).set_index("run"), columns[1:])


def scoring_rounds(rounds: Sequence[Mapping[str, Any]]) -> pandas.DataFrame:
    """How well the scores of a pool with shared weights tell its members apart, round by round.

    Args:
        rounds: Numbers of the rounds: `round`, `images`, `standard_error`, `spread`, `ranking_is_resolved`.
    """
    rows = [
        {
            "round": number["round"] + 1,
            "images": number["images"],
            "standard error": number["standard_error"],
            "spread": number["spread"],
            "ranking is resolved": "yes" if number["ranking_is_resolved"] else "no",
        }
        for number in rounds
    ]
    columns = ["round", "images", "standard error", "spread", "ranking is resolved"]
    return pandas.DataFrame(rows, columns=columns).set_index("round")


def trained_models(models: Sequence[Mapping[str, Any]]) -> pandas.DataFrame:
    """Networks trained in full, with accuracy and size.

    Args:
        models: Entries of the `models` in a training's results.json.
    """
    rows = [
        {
            "network": model["name"],
            "validation": model["validation_accuracy"],
            "parameters": model["parameters"],
            "multiply-adds": model["multiply_adds"],
        }
        for model in models
    ]
    return pandas.DataFrame(rows, columns=["network", "validation", "parameters", "multiply-adds"]).set_index("network")


def formatted(table: pandas.DataFrame) -> Styler:
    """A frame for a notebook: thousands separated, decimals by column, a dash where there is no number, long texts
    wrapped.
    """
    formats: dict[Any, Any] = {}
    for column in table.columns:
        if pandas.api.types.is_numeric_dtype(table[column]):
            bounds = column in ("low", "high") and any(str(other) in _QUERIES for other in table.columns)
            formats[column] = f"{{:,.{1 if bounds else _DECIMALS.get(column, 0)}f}}"
    texts = [column for column in table.columns if column in _WIDE]
    # A fixed name, so that the same records give the same notebook.
    styler = table.style.format(formats, na_rep="–").set_uuid("_".join(map(str, table.columns))[:40].replace(" ", ""))
    return styler.set_properties(subset=texts, **{"text-align": "left", "white-space": "normal"}) if texts else styler


def records(table: pandas.DataFrame) -> list[dict[str, Any]]:
    """A frame as JSON values, one record per row, None where there is no number."""
    return json.loads(table.reset_index().to_json(orient="records"))


def _budget(record: Mapping[str, Any]) -> str:
    share = "" if record["fraction"] == 1 else f" on {record['fraction']:.0%} of the images"
    return f"{record['epochs']} epoch{'s' if record['epochs'] > 1 else ''}{share}, in the search"


def _numbers(table: pandas.DataFrame, columns: Sequence[str]) -> pandas.DataFrame:
    """Columns as numbers, with NaN for what is missing."""
    return table.assign(**{column: pandas.to_numeric(table[column]) for column in columns if column in table.columns})
