"""Published accuracies beside what searches measured: how well every kind of rating ranks, and what was chosen.

The parameters `truth_table` and `truth_column` name the table. Notebook 05 reads it when all searches are over; nothing
that a search does depends on it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas

from alphaxenas.controllers.baselines.ranked import FEATURES
from alphaxenas.proxies.catalogue import PROXIES
from alphaxenas.report.equal_cost import is_cached
from alphaxenas.report.runs import Groups, StoredRun, Suite, best_records
from alphaxenas.report.statistics import Interval, interval
from alphaxenas.report.tables import records
from alphaxenas.spaces.from_parameters import shares_weights, space_from_parameters
from alphaxenas.tabular.truth import Truth, read_truth

if TYPE_CHECKING:
    from alphaxenas.config import Config

FEWEST = 5
"""Architectures from which on a rank correlation is told."""
BELIEF = "belief, over what it chose from"
"""The kind of rating by which a search chose; its results keep the order of the best alone."""


def load_truth(config: Config, suite: Suite) -> Truth | None:
    """The configured table; None where none is configured.

    Args:
        config: Its parameters `truth_table` and `truth_column` count.
        suite: Its searches say which space the table is about.

    Returns:
        The published values.

    Raises:
        ValueError: As for `read_truth`.
    """
    if not config.report.truth_table:
        return None
    space = suite.searches[0].space if suite.searches else space_from_parameters(config.parameters("space"))
    return read_truth(config.report.truth_table, config.report.truth_column, space)


def ratings(run: StoredRun) -> dict[str, dict[str, float]]:
    """What a search knew of architectures, by kind of rating and key.

    Kinds are the rewards at the search budget and at the final budget; every zero-cost proxy that was recorded; the
    static orders, which cost nothing; and the belief by which a search chose, over what it chose from. Of several
    ratings of one architecture the last counts, because under shared weights the earlier ones are stale. Proxies
    without a finite score are left out.
    """
    found: dict[str, dict[str, float]] = {}
    shared = shares_weights(run.parameters)
    names = {
        "search": "search budget" + (", shared weights" if shared else ""),
        "refresh": "search budget, shared weights",
        "final": "final budget"
        + (", shared weights" if shared and run.parameters.get("final_weights", "shared") == "shared" else ""),
    }
    for record in run.records:
        if record["status"] != "ok":
            continue
        if not is_cached(record):
            found.setdefault(names[record["purpose"]], {})[record["key"]] = record["reward"]
        for name, value in record["metrics"].items():
            if name in PROXIES and value is not None:
                found.setdefault(PROXIES[name].display, {})[record["key"]] = value
    for kind, by_key in (*static_orders(run).items(), (BELIEF, believed(run))):
        if by_key:
            found.setdefault(kind, by_key)
    return found


def static_orders(run: StoredRun) -> dict[str, dict[str, float]]:
    """The orders known before a search: by parameters, by depth, and by depth and then parameters.

    Args:
        run: A search.

    Returns:
        Order to place by key, from the worst, of the architectures that it rated. Orders are left out whose values
        neither the features of the space nor the records tell.
    """
    rated = {record["key"]: record for record in run.records if record["status"] == "ok"}
    features: tuple[str, ...] = getattr(run.space, "feature_names", tuple)()
    columns: dict[str, list[float]] = {}
    for name, pattern in FEATURES.items():
        place = next((place for place, feature in enumerate(features) if re.fullmatch(pattern, feature)), None)
        if all(record["metrics"].get(name) is not None for record in rated.values()):
            columns[name] = [record["metrics"][name] for record in rated.values()]
        elif place is not None:
            decoded = (run.space.decode(tuple(record["tokens"])) for record in rated.values())
            columns[name] = [float(run.space.features(architecture)[place]) for architecture in decoded]
    found = {}
    for order in (("parameters",), ("depth",), ("depth", "parameters")):
        if all(name in columns for name in order):
            values = list(zip(*(columns[name] for name in order)))
            places = {value: place for place, value in enumerate(sorted(set(values)))}
            found[", then ".join(order)] = {key: float(places[value]) for key, value in zip(rated, values)}
    return found


def believed(run: StoredRun) -> dict[str, float]:
    """The order of a search's belief when it ended, by key, over the best that its results keep; empty without one."""
    if run.results is None or run.results.get("chosen_by") != "belief":
        return {}
    best = run.results["best"]
    return {one["key"]: -float(place) for place, one in enumerate(best) if one["purpose"] == best[0]["purpose"]}


def rank_correlations(groups: Groups, truth: Truth) -> pandas.DataFrame:
    """Kendall's tau of every kind of rating with the published value, over the architectures that a search met.

    Args:
        groups: Searches by label.
        truth: The published values.

    Returns:
        One row per search and kind: mean over seeds of tau, its 95 % interval, and how many architectures a seed rated.
        Seeds with fewer than `FEWEST` rated architectures are left out.
    """
    from scipy.stats import kendalltau

    rows = []
    for label, runs in groups.items():
        found: dict[str, list[tuple[float, int]]] = {}
        for run in runs:
            for kind, by_key in ratings(run).items():
                pairs = [(value, truth.values[key]) for key, value in by_key.items() if key in truth.values]
                if len(pairs) >= FEWEST:
                    tau = float(kendalltau(*zip(*pairs)).statistic)
                    if np.isfinite(tau):
                        found.setdefault(kind, []).append((tau, len(pairs)))
        for kind, each in found.items():
            spread = interval([tau for tau, _ in each])
            counted = float(np.mean([count for _, count in each]))
            rows.append(_row(label, "Kendall's tau", spread) | {"rating": kind, "architectures": counted})
    columns = ["search", "rating", "Kendall's tau", "low", "high", "seeds", "architectures"]
    return pandas.DataFrame(rows, columns=columns).set_index(["search", "rating"])


def proxies(groups: Groups) -> pandas.DataFrame:
    """What zero-cost proxies knew and cost, without any table: their rank correlation with rewards.

    Args:
        groups: Searches by label.

    Returns:
        One row per search and proxy: mean over seeds of Kendall's tau with the reward at the search budget, over the
        architectures that have both, as in `rank_correlations`; architectures that a seed scored, those of them without
        a finite score, and seconds. Empty where no search had proxies.
    """
    rows = []
    for label, runs in groups.items():
        summaries = [run.results["proxies"] for run in runs if run.results and "proxies" in run.results]
        for name in summaries[0]["seconds"] if summaries else ():
            taus = [found for run in runs if (found := _tau_with_reward(run, name)) is not None]
            seen = {
                "rating": PROXIES[name].display,
                "scored": float(np.mean([summary["scored"] for summary in summaries])),
                "not finite": float(np.mean([summary["not_finite"][name] for summary in summaries])),
                "seconds": float(np.mean([summary["seconds"][name] for summary in summaries])),
            }
            spread = _row(label, "Kendall's tau", interval(taus)) if taus else {"search": label}
            rows.append(spread | seen)
    columns = ["search", "rating", "Kendall's tau", "low", "high", "seeds", "scored", "not finite", "seconds"]
    return pandas.DataFrame(rows, columns=columns).set_index(["search", "rating"])


def _tau_with_reward(run: StoredRun, name: str) -> float | None:
    """Kendall's tau of a proxy with the rewards at the search budget; None of too few."""
    from scipy.stats import kendalltau

    pairs = {
        record["key"]: (record["metrics"][name], record["reward"])
        for record in run.records
        if record["status"] == "ok" and record["purpose"] == "search"
        if record["metrics"].get(name) is not None
    }
    tau = float(kendalltau(*zip(*pairs.values())).statistic) if len(pairs) >= FEWEST else float("nan")
    return tau if np.isfinite(tau) else None


def chosen(groups: Groups, truth: Truth) -> pandas.DataFrame:
    """The published value of the architecture that every search chose, see `runs.best_records`.

    Args:
        groups: Searches by label.
        truth: The published values.

    Returns:
        One row per search: mean over seeds, its 95 % interval, distance to the best of the table, mean rank in the
        table. Seeds whose choice the table lacks are left out.
    """
    rows = []
    for label, values in _chosen_values(groups, truth).items():
        if values:
            spread = interval(values)
            ranks = float(np.mean([truth.rank(value) for value in values]))
            rows.append(_row(label, "published", spread) | {"regret": truth.best - spread.mean, "mean rank": ranks})
    columns = ["search", "published", "low", "high", "seeds", "regret", "mean rank"]
    return pandas.DataFrame(rows, columns=columns).set_index("search")


def remarks(groups: Groups, truth: Truth | None) -> list[str]:
    """What was compared with what, and what the table lacks, in sentences.

    Args:
        groups: Searches by label.
        truth: The published values; None where no table was given.
    """
    if truth is None:
        return ["No table of published accuracies is given (parameters `truth_table` and `truth_column`)."]
    met = {record["key"] for runs in groups.values() for run in runs for record in run.records}
    missing = len(met - set(truth.values))
    said = [
        f"Published: `{truth.column}` of `{truth.table}`, {len(truth.values):,} architectures, the best "
        f"{truth.best:g}. No search has seen it.",
        f"Of {len(met):,} architectures that the searches met the table lacks {missing:,}"
        + ("; they are left out below." if missing else "."),
    ]
    for label, values in _chosen_values(groups, truth).items():
        spread = f"{interval(values)}" if values else "not in the table"
        said.append(f"{label} chose an architecture of published value {spread}.")
    return said


def results(groups: Groups, truth: Truth | None) -> dict[str, Any]:
    """What results.json keeps: the remarks and both tables.

    Args:
        groups: Searches by label.
        truth: The published values; None where no table was given.
    """
    if truth is None:
        return {}
    ranked, picked = rank_correlations(groups, truth), chosen(groups, truth)
    return {"remarks": remarks(groups, truth), "ratings": records(ranked), "chosen": records(picked)}


def _chosen_values(groups: Groups, truth: Truth) -> dict[str, list[float]]:
    """The published value of the choice of every seed, where the table has it."""
    found: dict[str, list[float]] = {}
    for label, runs in groups.items():
        keys = [record["key"] for run in runs for _, record in best_records([run], 1)]
        found[label] = [truth.values[key] for key in keys if key in truth.values]
    return found


def _row(label: str, name: str, spread: Interval) -> dict[str, Any]:
    return {"search": label, name: spread.mean, "low": spread.low, "high": spread.high, "seeds": spread.count}
