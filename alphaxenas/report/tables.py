"""Tables of stored runs as pandas frames with plain numbers; `formatted` makes them readable in a notebook."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas

from alphaxenas.report.checklist_words import length_words
from alphaxenas.report.diagnostic_figures import PREDICTED
from alphaxenas.report.equal_cost import (
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
from alphaxenas.report.runs import Groups, StoredRun, Suite, best_records
from alphaxenas.report.statistics import Comparison, interval

if TYPE_CHECKING:
    from pandas.io.formats.style import Styler

    from alphaxenas.data import ImageData

BACKWARD = 3
"""A training pass costs about three times the multiply-adds of a prediction: forward, and twice as much backward."""
_DECIMALS = {
    name: decimals
    for decimals, names in {
        1: "missing, saved, restricted mean queries, median queries, CPU seconds, mean rank",
        2: "held-out rank correlation, rank correlation search / final, rank correlation of size and depth, minutes, "
        "validation perplexity, test perplexity, Kendall's tau",
        3: "training multiply-adds (10¹²), policy loss, value loss, CPU ms per query, published, regret, "
        "the part is worth",
        4: "validation, test, test of six views, mean, value, of the control, low, high, difference, standard error, "
        "spread, reported, best of the table, regret of the report, corrected p",
    }.items()
    for name in names.split(", ")
}
"""Decimals by column; none where a column is not named."""
_QUERIES = ("restricted mean queries", "saved")
"""Columns whose bounds are numbers of queries, not accuracies."""
_DIAGNOSTICS = {
    "iterations": "search/iterations",
    "nodes": "tree/nodes",
    "visits": "tree/visits",
    "policy loss": "lstm/policy_loss",
    "value loss": "lstm/value_loss",
    "rank correlation of size and depth": "free/rank_correlation",
}
"""Column to the tag of the number that it shows as it was last told."""
_OF_A_TRAINING = {
    "validation": "validation_accuracy",
    "best epoch": "best_epoch",
    "epochs": "epochs",
    "parameters": "parameters",
    "multiply-adds": "multiply_adds",
    "seconds": "seconds",
    "test": "test_accuracy",
    "test of six views": "test_accuracy_of_views",
}
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
    rows: list[dict[str, Any]] = []
    end = common_end([run for runs in groups.values() for run in runs], "trials")
    for label, runs in groups.items():
        bests = [best for run in runs if np.isfinite(best := best_so_far(run, "trials", np.array([end]))[0])]
        if not bests:
            continue
        spread, (run, best) = interval(bests), best_records(runs, 1)[0]
        trials, seconds = ([cumulative_cost(run, cost)[-1] for run in runs] for cost in ("trials", "seconds"))
        rows.append(
            {
                "network": f"best child, {label}",
                "trained for": f"{length_words(run, best['epochs'], best['fraction'])}, in the search",
                "seeds": spread.count,
                "validation": spread.mean,
                "low": spread.low,
                "high": spread.high,
                **_size(best["metrics"]),
                "trials": np.mean(trials),
                "images trained": np.mean([images_trained(run).sum() for run in runs]),
                "seconds": np.mean(seconds),
            }
        )
    for run in suite.trainings:
        for number, model in enumerate(run.models):
            rows.append(
                {
                    "network": model_name(model),
                    "trained for": f"{model['epochs']} epochs, in full",
                    "seeds": 1,
                    "validation": model["validation_accuracy"],
                    "test": (run.outcome if number == run.outcome["chosen"] else model).get("test_accuracy"),
                    **_size(model),
                    "trials": 1,
                    "images trained": sum(record["images"] for record in model["history"]),
                    "seconds": model["seconds"],
                }
            )
    columns = "network, trained for, seeds, validation, low, high, test, parameters, multiply-adds, trials"
    return frame(rows, f"{columns}, images trained, seconds")


def best_architectures(groups: Groups, count: int = 5) -> pandas.DataFrame:
    """The best architectures over all seeds of each search, each once, and by which rule they were ranked: by the
    belief of the search or by validation accuracy at the final budget, see `runs.best_records`.

    Args:
        groups: Searches by label.
        count: Rows per search, at most.
    """
    rows = [
        {
            "search": label,
            "rank": rank,
            "chosen by": (run.results or {}).get("chosen_by", "reward"),
            "validation": record["reward"],
            **_size(record["metrics"]),
            "seed": run.seed,
            "trial": record["trial"],
            "architecture": record["architecture"],
        }
        for label, runs in groups.items()
        for rank, (run, record) in enumerate(best_records(runs, count), 1)
    ]
    return frame(rows, "search, rank, chosen by, validation, parameters, multiply-adds, seed, trial, architecture", 2)


def differences(comparisons: Comparisons) -> pandas.DataFrame:
    """Paired differences from every control with interval, exact test after Holm's correction, and verdict.

    Args:
        comparisons: See `equal_cost.compare_each`.
    """
    rows = [
        {
            "search": label,
            "control": control,
            "measure": measure,
            "seeds": each.n,
            "mean": np.mean(each.ours),
            "of the control": np.mean(each.theirs),
            "difference": each.mean,
            **verdict_columns(each),
        }
        for (label, control), found in comparisons.items()
        for measure, each in found.items()
    ]
    columns = "search, control, measure, seeds, mean, of the control, difference, low, high, corrected p, verdict"
    return frame(rows, columns, 3)


def per_seed(comparisons: Comparisons) -> pandas.DataFrame:
    """The numbers behind the first difference of every search."""
    names = ("search", "control", "measure", "seed", "value", "of the control", "difference")
    rows = [
        dict(zip(names, (*pair, measure, seed, ours, theirs, ours - theirs)))
        for pair, found in comparisons.items()
        for measure, first in list(found.items())[:1]
        for seed, ours, theirs in zip(first.seeds, first.ours, first.theirs)
    ]
    return frame(rows, ", ".join(names), 4)


def costs(runs: Sequence[StoredRun]) -> pandas.DataFrame:
    """What every run cost, failed children included; workers that train at once share the seconds."""
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
            seconds = cumulative_cost(run, "seconds")[-1]
            training = min(sum(record["seconds"] for record in run.records if not is_cached(record)), seconds)
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
    columns = "run, trained, failed, known, scored again, images trained, training multiply-adds (10¹²), seconds"
    table = frame(rows, f"{columns}, of which training")
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
            {"run": f"{run.name}, seed {run.seed}"}
            | {name: last.get(tag) for name, tag in _DIAGNOSTICS.items()}
            | {
                "held-out rank correlation": next((last[tag] for tag in PREDICTED if tag in last), None),
                "rank correlation search / final": correlation,
                "from architectures": pairs,
            }
        )
    last_columns = "held-out rank correlation, rank correlation search / final, from architectures"
    return frame(rows, f"run, {', '.join(_DIAGNOSTICS)}, {last_columns}")


def scoring_rounds(rounds: Sequence[Mapping[str, Any]]) -> pandas.DataFrame:
    """How well the scores of a pool with shared weights tell its members apart, round by round.

    Args:
        rounds: Numbers of the rounds: `round`, `images`, `standard_error`, `spread`, `ranking_is_resolved`.
    """
    columns = "round, images, standard error, spread, ranking is resolved"
    rows = [
        (each["round"] + 1, each["images"], each["standard_error"], each["spread"], each["ranking_is_resolved"])
        for each in rounds
    ]
    table = frame([dict(zip(columns.split(", "), row)) for row in rows], columns)
    return table.replace({"ranking is resolved": {True: "yes", False: "no"}})


def trained_models(models: Sequence[Mapping[str, Any]]) -> pandas.DataFrame:
    """Networks trained in full, with accuracy, length of the training, size and cost, as far as they are known.

    Args:
        models: Entries of the `models` in a training's results.json.
    """
    known = {title: key for title, key in _OF_A_TRAINING.items() if any(key in model for model in models)}
    rows = [{"network": model["name"], **{title: model.get(key) for title, key in known.items()}} for model in models]
    return frame(rows, ", ".join(["network", *known]))


def predictions(labels: np.ndarray, probabilities: np.ndarray, class_names: Sequence[str]) -> pandas.DataFrame:
    """What a network says of some images beside what they show, an image a column.

    Args:
        labels: Classes of the images, `[n]`.
        probabilities: Of every class, `[n, classes]`.
        class_names: Names of the classes.
    """
    rows = {"image shows": labels, "model says": probabilities.argmax(1)}
    table = pandas.DataFrame({title: [class_names[label] for label in row] for title, row in rows.items()})
    return table.assign(probability=probabilities.max(1)).T


def channel_statistics(data: ImageData) -> pandas.DataFrame:
    """Mean and deviation of every channel, and what the first 5,000 images of a part have after normalisation."""
    from alphaxenas.data import channel_names

    columns = {"mean": data.mean, "standard deviation": data.std}
    for name, part in {"training": data.train, "validation": data.validation}.items():
        scaled = (part.images[:5000] / 255 - data.mean) / data.std
        columns[f"{name}, normalised: mean"] = scaled.mean(axis=(0, 1, 2))
        columns[f"{name}, normalised: deviation"] = scaled.std(axis=(0, 1, 2))
    return pandas.DataFrame(columns, index=pandas.Index(channel_names(len(data.mean)), name="channel"))


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


def _size(counted: Mapping[str, Any]) -> dict[str, Any]:
    return {"parameters": counted.get("parameters"), "multiply-adds": counted.get("multiply_adds")}


def verdict_columns(difference: Comparison) -> dict[str, Any]:
    """Interval, corrected test and verdict of a paired difference, as all tables show them."""
    return {
        "low": difference.low,
        "high": difference.high,
        "corrected p": difference.p,
        "verdict": f"{difference.verdict}: {difference.reason}",
    }


def frame(rows: Sequence[Mapping[str, Any]], columns: str, index: int = 1) -> pandas.DataFrame:
    """A table; what is missing in a column of numbers is NaN.

    Args:
        rows: Column to value; a row may lack columns.
        columns: All of them, in order, with commas between them.
        index: How many of the first columns name a row.
    """
    names = columns.split(", ")
    table = pandas.DataFrame(rows, columns=names).set_index(names[:index])
    numeric = [name for name in table if not any(isinstance(value, (str, bool)) for value in table[name])]
    return table.assign(**{name: pandas.to_numeric(table[name]) for name in numeric})
