"""Recurrent cells for language models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from math import exp, log
from statistics import fmean

from alphaxenas.report.statistics import Comparison, compare_many
from benchmarks.layout import Claim, Result, name, p, table

FOUND = "best found"
GOALS = {("LSTM 2x200", 10): 112.0, ("LSTM 2x200", 60): 90.0, (FOUND, 15): 108.0}
"""Test perplexity that is to be reached, by model and minutes of a training."""
CONTROLS = ("random", "static")


def models(results: Mapping[str, Result]) -> str:
    """Perplexities of language models at equal parameters and minutes, and their differences to the LSTM."""
    return "\n\n".join(
        _at(result) for _, result in sorted(results.items(), key=lambda one: one[1]["figures"]["minutes"])
    )


def _at(result: Result) -> str:
    """The tables of one budget of minutes."""
    figures, values = result["figures"], result["values"]
    minutes, methods = figures["minutes"], figures["methods"]
    order = _ranked(values)
    goals = {model: _goal(minutes, model, values) for model in order}
    rows = [
        [
            model,
            f"{methods[model]['parameters'] / 1e6:.2f}",
            str(len(values[model]["test"])),
            f"{fmean(values[model]['epochs']):.1f}",
            f"{fmean(values[model]['seconds']) / 60:.1f}" if values[model].get("seconds") else "",
            *(_mean_and_range(values[model][part]) for part in ("validation", "test")),
            *([goals[model]] if any(goals.values()) else []),
        ]
        for model in order
    ]
    head = ["model", "million parameters", "seeds", "epochs", "minutes", "validation perplexity", "test perplexity"]
    text = f"### {minutes:g} minutes of {_cores(result)} a training\n\n"
    text += table(head + ["goal"] * any(goals.values()), rows)
    failed = [f"{model}, seed {seed}" for model, about in methods.items() for seed in about.get("failed", ())]
    if failed:
        text += f"\n\nTrainings that failed, because the loss was not finite: {'; '.join(failed)}."
    found = compare_many(_pairs(values, order))
    differing = [
        [f"{model} minus {other}", _difference(one), p(one), str(one.n), _verdict(one, model, other)]
        for (model, other), one in found.items()
    ]
    if not differing:
        return text
    return f"{text}\n\n{table(['test perplexity', 'difference', 'p', 'seeds', 'shown?'], differing)}"


def _cores(result: Result) -> str:
    cores = result["figures"]["cores"]
    return "one core" if cores == 1 else f"{cores} cores"


def summary(minutes: float, values: Mapping[str, Mapping[str, Sequence[float]]]) -> dict[str, str]:
    """By model, the best first, a line with its perplexities, and goal and verdict where there is a goal.

    Args:
        minutes: Of each training.
        values: Of every seed, by model and column.
    """
    lines = {}
    for model in _ranked(values):
        goal = _goal(minutes, model, values)
        validation, test = (_mean_and_range(values[model][part]) for part in ("validation", "test"))
        lines[model] = f"validation {validation}, test {test}" + (f"; {goal}" if goal else "")
    return lines


def _ranked(values: Mapping[str, Mapping[str, Sequence[float]]]) -> list[str]:
    """The models that have a training, by validation perplexity."""
    return sorted((model for model in values if values[model]["test"]), key=lambda m: _mean(values[m]["validation"]))


def _goal(minutes: float, model: str, values: Mapping[str, Mapping[str, Sequence[float]]]) -> str:
    """What a model should reach in this time, and whether it does; empty without a goal."""
    best = next((one for one in _ranked(values) if one.startswith("found")), None)
    limit = GOALS.get((FOUND if model == best else model, minutes))
    if limit is None:
        return ""
    reached = _mean(values[model]["test"])
    # Cells are to be below their goal, LSTMs at most at it.
    met = reached < limit if model == best else reached <= limit
    return f"{'<' if model == best else '<='} {limit:g}: {'reached' if met else 'missed'}"


def _pairs(values: Mapping[str, Mapping[str, Sequence[float]]], order: Sequence[str]) -> dict:
    """Every model with the LSTM of equal parameters, and every found cell with the best drawn one as validation has
    it.
    """
    lstm = [model for model in order if model.startswith("LSTM,")]
    drawn = [model for model in order if model.startswith("drawn")][:1]
    chosen = [(model, lstm[0]) for model in order if lstm and model != lstm[0]]
    chosen += [(model, drawn[0]) for model in order if drawn and model.startswith("found")]
    tests = {model: dict(zip(values[model].get("seeds", count()), values[model]["test"])) for model in order}
    return {pair: tuple(tests[model] for model in pair) for pair in chosen}


def searches(results: Mapping[str, Result]) -> str:
    """What searches of equal minutes found, and their differences to the controls."""
    (result,) = results.values()
    values = {method: found for method, found in result["values"].items() if found["seeds"]}
    rows = [
        [
            name(method),
            str(len(found["seeds"])),
            f"{fmean(found['children']):.0f}",
            f"{fmean(found['words']) / 1e6:.1f}",
            f"{fmean(found['seconds']) / 60:.1f}",
            *(_mean_and_range(found[column]) for column in ("chosen", "best")),
        ]
        for method, found in values.items()
    ]
    chosen = {method: dict(zip(found["seeds"], found["chosen"])) for method, found in values.items()}
    pairs = {
        (method, control): (chosen[method], chosen[control])
        for control in CONTROLS
        for method in values
        if control in values and method not in CONTROLS
    }
    differing = [
        [f"{name(method)} minus {name(other)}", _difference(one), p(one), str(one.n), _verdict(one, method, other)]
        for (method, other), one in compare_many(pairs).items()
    ]
    head = ["search", "seeds", "children", "million words trained on", "minutes", "chosen child", "best promoted child"]
    left_out = [
        f"{name(method)}, seed {seed}"
        for method, about in result["figures"]["methods"].items()
        for seed in about["left_out"]
    ]
    minutes = result["figures"]["minutes"]
    text = f"{minutes:g} minutes of {_cores(result)} a search. Validation perplexity at the final budget:"
    text += f"\n\n{table(head, rows)}"
    if left_out:
        text += f"\n\nLeft out, because no child reached the final budget: {'; '.join(left_out)}."
    return f"{text}\n\n{table(['chosen child', 'difference', 'p', 'seeds', 'shown?'], differing)}"


def _mean(perplexities: Sequence[float]) -> float:
    """Of the mean loss."""
    return exp(fmean(map(log, perplexities)))


def _mean_and_range(perplexities: Sequence[float]) -> str:
    spread = f" [{min(perplexities):.1f}, {max(perplexities):.1f}]" if len(perplexities) > 1 else ""
    return f"{_mean(perplexities):.1f}{spread}"


def _difference(one: Comparison) -> str:
    interval = "" if one.low is None else f" [{one.low:+.1f}, {one.high:+.1f}]"
    return f"{one.mean:+.1f}{interval}"


def _verdict(one: Comparison, first: str, second: str) -> str:
    return f"**{name(first if one.mean < 0 else second)}** is better" if one.shown else "not shown"


CLAIMS = (
    Claim(
        "Are searched and published recurrent cells better than an LSTM?",
        "Language models on the Penn Treebank, all trained with one recipe at equal parameters and for equal "
        "minutes: LSTMs (AWD-LSTM with its authors' recipe, LSTM 2x200 with the dropout and size of PyTorch's "
        "example), the published cells of ENAS, DARTS and NAO, drawn cells, and found ones. Perplexity of "
        "the mean loss over seeds, and the lowest and highest of a seed; less is better. The drawn cell that found "
        "cells are compared with is the best of all as validation has it.",
        models,
        ("recurrent_ptb_10", "recurrent_ptb_15", "recurrent_ptb_60"),
    ),
    Claim(
        "Which search finds good recurrent cells in 30 minutes?",
        "The Penn Treebank, cells of 8 nodes with 200 units, every child from scratch on a tenth of the text, "
        "promoted ones on three tenths: the same space, evaluator, budgets and promotion rule for all, and equal "
        "minutes, the search's own included. All cells have equally many parameters, so the static order is "
        "by depth. Searches are compared by the child that they choose, AlphaXENAS by its belief and not by the "
        "highest reward.",
        searches,
        ("recurrent_search_30",),
    ),
)
