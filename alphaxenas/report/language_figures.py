"""Figures and tables of recurrent cells and language models, from their records alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from math import exp, log
from typing import TYPE_CHECKING, Any

import numpy as np

from alphaxenas.report.style import BLUE, DASHES, GREEN, INK, ORANGE, PINK, PURPLE, RED, SKY, dress, new_figure, say

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure

    from alphaxenas.data.text import TextData

COLOURS = (BLUE, ORANGE, GREEN, PINK, SKY, RED, PURPLE, INK)


def describe_text(data: TextData) -> str:
    """Sizes of a text, what its vocabulary does not cover, and the lowest perplexity where it is known."""
    best = f"; no model can have a perplexity below {exp(data.entropy):.2f}" if data.entropy is not None else ""
    sizes = f"{len(data.train):,} training, {len(data.validation):,} validation, {len(data.test):,} test words"
    unknown = ", ".join(f"{100 * share:.2f} % of {part}" for part, share in data.unknown.items())
    return f"{sizes}; vocabulary {len(data.vocabulary):,}, unknown words: {unknown}{best}"


def headlines(searches: Mapping[str, Mapping[str, Any]]) -> str:
    """Markdown: a line for every search, with its seconds where they are known."""
    lines = [
        f"- {name}: {found['headline']}" + (f", {found['seconds']:.0f} s" if "seconds" in found else "")
        for name, found in searches.items()
    ]
    return "\n".join(lines)


def search_curves(journals: Mapping[str, Sequence[Mapping[str, Any]]], words: int) -> Figure:
    """Perplexity of every child at the final budget, and the best so far, over the words trained on; what was known
    already cost none. Searches without such children, ENAS and NAO's pool, are left out.

    Args:
        journals: Records of each search by name.
        words: Size of the vocabulary, which turns rewards into perplexities.
    """
    figure, (axes,) = new_figure(1, 1, height=3.6)
    shown = False
    for (name, records), colour, dashes in zip(journals.items(), cycle(COLOURS), cycle(DASHES)):
        metrics = [record.get("metrics", {}) for record in records]
        cost = np.cumsum([0.0 if "cached" in told else told.get("words", 0.0) for told in metrics])
        children = [
            record.get("purpose") == "final" and record["status"] == "ok" and "cached" not in told
            for record, told in zip(records, metrics)
        ]
        finals = [(x, record["reward"]) for x, record, trained in zip(cost, records, children) if trained]
        if not finals:
            continue
        shown = True
        x, rewards = map(np.array, zip(*finals))
        axes.plot(x, words ** (1.0 - rewards), ".", color=colour, alpha=0.5)
        best = words ** (1.0 - np.maximum.accumulate(rewards))
        axes.step(x, best, where="post", color=colour, linestyle=dashes, label=name)
    if shown:
        axes.set_xlabel("words trained on")
        axes.set_ylabel("validation perplexity")
        axes.legend(frameon=False)
        dress(axes)
    else:
        say(axes, "No cell had the final budget yet.")
    return figure


def training_curves(final: Mapping[str, Any]) -> Figure:
    """Validation perplexity over the minutes of training, one line for every training.

    Args:
        final: Results of `train_language_models`.
    """
    figure, (axes,) = new_figure(1, 1, height=3.8)
    names = list(dict.fromkeys(model["name"] for model in final["models"]))
    for model in final["models"]:
        number, history = names.index(model["name"]), model["history"]
        share = np.array([record["windows"] for record in history]) / model["windows"]
        perplexities = np.exp([record["validation_loss"] for record in history])
        first = model["seed"] == min(other["seed"] for other in final["models"] if other["name"] == model["name"])
        style: dict[str, Any] = {"color": COLOURS[number % len(COLOURS)], "linestyle": DASHES[number % len(DASHES)]}
        label = model["name"] if first else None
        axes.plot(share * model["seconds"] / 60, perplexities, marker=".", label=label, **style)
    if final.get("entropy") is not None:
        axes.axhline(exp(final["entropy"]), color=INK, linewidth=0.8, label="entropy of the text")
    axes.set_yscale("log")
    axes.set_xlabel("minutes of training")
    axes.set_ylabel("validation perplexity")
    axes.legend(frameon=False)
    dress(axes)
    return figure


def models_table(final: Mapping[str, Any]) -> pandas.DataFrame:
    """Every model: its size, and mean and range of its perplexities over seeds; best validation first.

    Args:
        final: Results of `train_language_models`.
    """
    import pandas

    rows = []
    for name in dict.fromkeys(model["name"] for model in final["models"]):
        models = [model for model in final["models"] if model["name"] == name]
        row = {"model": name, "architecture": models[0]["architecture"], "trainings": len(models)}
        row |= {"parameters": models[0]["parameters"], "units": models[0]["units"]}
        row["epochs"] = float(np.mean([model["epochs"] for model in models]))
        row["minutes"] = float(np.mean([model["seconds"] for model in models])) / 60
        for part in ("validation", "test"):
            values = [model[f"{part}_perplexity"] for model in models]
            row[f"{part} perplexity"] = exp(float(np.mean(list(map(log, values)))))
            if len(values) > 1:
                row[f"{part}, range"] = f"{min(values):.2f} to {max(values):.2f}"
        rows.append(row)
    return pandas.DataFrame(rows).sort_values("validation perplexity", ignore_index=True)


def written_text(final: Mapping[str, Any]) -> str:
    """Markdown: what the model with the lowest validation perplexity wrote."""
    best = min(final["models"], key=lambda model: model["validation_perplexity"])
    return f"**{best['name']}**\n\n" + "\n".join(f"    {line}" for line in best["written"].splitlines())
