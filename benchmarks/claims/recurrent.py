"""Recurrent cells for language models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from math import exp, log
from statistics import fmean

from alphaxenas.report.statistics import Comparison, compare_many
from benchmarks.layout import Claim, Result, by_seed, name, p, table


def models(results: Mapping[str, Result]) -> str:
    """Perplexities of language models at equal parameters and minutes, and their differences to the LSTM."""
    return "\n\n".join(
        _at(result) for _, result in sorted(results.items(), key=lambda one: one[1]["figures"]["minutes"])
    )


def _at(result: Result) -> str:
    """The tables of one budget of minutes."""
    figures, values = result["figures"], result["values"]
    order = sorted(values, key=lambda model: _mean(values[model]["validation"]))
    rows = [
        [
            model,
            f"{figures['parameters'][model] / 1e6:.2f}",
            str(len(values[model]["test"])),
            f"{fmean(values[model]['epochs']):.1f}",
            *(_mean_and_range(values[model][part]) for part in ("validation", "test")),
        ]
        for model in order
    ]
    head = ["model", "million parameters", "seeds", "epochs", "validation perplexity", "test perplexity"]
    found = compare_many(_pairs(values, order))
    differing = [
        [f"{model} minus {other}", _difference(one), p(one), str(one.n), _verdict(one, model, other)]
        for (model, other), one in found.items()
    ]
    text = f"### {figures['minutes']:g} minutes a training\n\n{table(head, rows)}"
    if not differing:
        return text
    return f"{text}\n\n{table(['test perplexity', 'difference', 'p', 'seeds', 'shown?'], differing)}"


def _pairs(values: Mapping[str, Mapping[str, Sequence[float]]], order: Sequence[str]) -> dict:
    """Every model with the LSTM, and every found cell with the best drawn one as validation has it."""
    lstm = [model for model in order if model.startswith("LSTM")]
    drawn = [model for model in order if model.startswith("drawn")][:1]
    chosen = [(model, lstm[0]) for model in order if lstm and model != lstm[0]]
    chosen += [(model, drawn[0]) for model in order if drawn and model.startswith("found")]
    tests = {model: dict(zip(found.get("seeds", count()), found["test"])) for model, found in values.items()}
    return {pair: tuple(tests[model] for model in pair) for pair in chosen}


def searches(results: Mapping[str, Result]) -> str:
    """What searches of equal minutes found, and their differences to random search."""
    (result,) = results.values()
    values = result["values"]
    rows = [
        [
            name(method),
            str(len(found["perplexity"])),
            f"{fmean(found['children']):.0f}",
            _mean_and_range(found["perplexity"]),
        ]
        for method, found in values.items()
    ]
    pairs = {
        (method, "random"): (by_seed(found["perplexity"]), by_seed(values["random"]["perplexity"]))
        for method, found in values.items()
        if "random" in values and method != "random"
    }
    differing = [
        [f"{name(method)} minus {name(other)}", _difference(one), p(one), str(one.n), _verdict(one, method, other)]
        for (method, other), one in compare_many(pairs).items()
    ]
    head = ["search", "seeds", "children", "validation perplexity of the best child at the final budget"]
    return f"{table(head, rows)}\n\n{table(['difference', 'perplexity', 'p', 'seeds', 'shown?'], differing)}"


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
        "Language models on the Penn Treebank, all trained with one recipe at equal parameters and for equal minutes "
        "on two cores: LSTMs, the published cells of ENAS, DARTS and NAO, drawn cells, and found ones. Perplexity of "
        "the mean loss over seeds, and the lowest and highest of a seed; less is better. The drawn cell that found "
        "cells are compared with is the best of all as validation has it.",
        models,
        ("recurrent_ptb_10", "recurrent_ptb_15", "recurrent_ptb_60"),
    ),
    Claim(
        "Which search finds good recurrent cells in 30 minutes?",
        "The Penn Treebank, cells of 8 nodes with 200 units, every child from scratch on a tenth of the text, "
        "promoted ones on three tenths: the same space, evaluator, budgets and promotion rule for all, and 30 minutes "
        "each on two cores, the search's own included. All cells have equally many parameters, so there is no static "
        "order of size.",
        searches,
        ("recurrent_search_30",),
    ),
)
