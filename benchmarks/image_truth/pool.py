"""The pool of `benchmarks.image_truth` with published accuracies beside it, and how well its columns rank."""

from __future__ import annotations

import csv
import gzip
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from alphaxenas.contracts import Budget, Controller, SearchSpace, Tokens
from alphaxenas.controllers.catalogue import make_controller
from alphaxenas.proxies.catalogue import PROXIES
from alphaxenas.proxies.ranks import rank_sum
from alphaxenas.seeds import stream
from alphaxenas.spaces.listed.subset import Subset
from alphaxenas.tabular.choices import parse_controllers
from alphaxenas.tabular.truth import read_truth
from benchmarks.image_truth.children import SPACE

STATIC = {
    "static:parameters": ("log parameters",),
    "static:depth,parameters": ("longest path by convolution", "log parameters"),
}
"""Orders by falling values; every proxy of the pool is one more, as `static:naswot`, and `static:rank sum` of all."""

FROM_SCRATCH = {"refresh_after": 0, "uniform_share": 0.0}
"""Of AlphaXENAS where children share no weights: both settings are about weights that move under known children."""


@dataclass(frozen=True, eq=False)
class Pool:
    """Cells with what is known of them.

    Attributes:
        space: The cells.
        rows: Row by tokens.
        columns: Reward and seconds of both budgets, scores of proxies, by name; float64 `[cells]`.
        published: What a choice is judged by, `[cells]`.
    """

    space: Subset
    rows: Mapping[Tokens, int]
    columns: Mapping[str, np.ndarray]
    published: np.ndarray

    @property
    def proxies(self) -> tuple[str, ...]:
        """Proxies that were scored."""
        return tuple(name for name in PROXIES if name in self.columns)


def controller_of(
    words: str, space: SearchSpace, seed: int, budgets: tuple[Budget, Budget], promote_every: int
) -> Controller:
    """A controller of children that are trained from scratch.

    Args:
        words: Its name, with settings after a colon, such as `guided:plan=rollouts`.
        space: What it searches, as it sees it.
        seed: Of the search.
        budgets: Of search and promotion.
        promote_every: Cells at the search budget for one at the final budget.
    """
    (choice,) = parse_controllers(words)
    settings = (FROM_SCRATCH if choice.name == "alphaxenas" else {}) | dict(choice.settings)
    return make_controller(choice.name, space, seed, *budgets, promote_every, **settings)


class Part(Subset):
    """Some cells of a pool. A belief can be asked about any other cell too."""

    def decode(self, tokens: Tokens) -> object:
        """The cell of a complete sequence, a member or not."""
        return self.space.decode(tokens)


def split(pool: Pool, share: float, seed: int) -> tuple[Pool, list[int]]:
    """A random part of a pool to search in, and the rows of the others, in which nothing is searched.

    Args:
        pool: The pool.
        share: Of the cells that are held out, in [0, 1).
        seed: Of the draw.
    """
    order = stream(seed, "image_truth", "held out").permutation(len(pool.published))
    held, rows = np.split(order, [round(share * len(order))])
    rows = np.sort(rows)
    cells = tuple(pool.space.architectures[row] for row in rows)
    columns = {name: column[rows] for name, column in pool.columns.items()}
    places = {SPACE.encode(cell): place for place, cell in enumerate(cells)}
    return Pool(Part(SPACE, cells), places, columns, pool.published[rows]), sorted(held.tolist())


@lru_cache(maxsize=2)
def read_pool(path: str, published: str, column: str) -> Pool:
    """The pool with its published accuracies.

    Args:
        path: Of the table that `benchmarks.image_truth table` writes.
        published: A table of published accuracies, see `read_truth`.
        column: Its column.

    Returns:
        The pool, without the cells that the table of published accuracies lacks.

    Raises:
        ValueError: It lacks all.
    """
    truth = read_truth(published, column, SPACE)
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        every = list(csv.DictReader(file))
    lines = [line for line in every if SPACE.key(SPACE.parse(line["code"])) in truth.values]
    if len(lines) < len(every):
        print(f"{published} has no accuracy of {len(every) - len(lines)} of {len(every)} cells", file=sys.stderr)
    if not lines:
        raise ValueError(f"{published} has no accuracy of any cell of {path}.")
    cells = tuple(SPACE.parse(line["code"]) for line in lines)
    columns = {name: np.array([float(line[name] or "nan") for line in lines]) for name in lines[0] if name != "code"}
    return Pool(
        Subset(SPACE, cells),
        {SPACE.encode(cell): row for row, cell in enumerate(cells)},
        columns,
        np.array([truth.values[SPACE.key(cell)] for cell in cells]),
    )


def ranking(pool: Pool) -> dict[str, dict[str, float]]:
    """How well every column ranks: Kendall's tau with the published accuracy, mean seconds, cells that have it.

    The free orders of the space stand beside them.
    """
    from scipy.stats import kendalltau

    found = {}
    for name in [*(name for name in pool.columns if not name.endswith("_seconds")), *STATIC]:
        order = static_order(pool, STATIC.get(name, (name,)), 0)
        values = pool.columns[name] if name in pool.columns else -np.argsort(order).astype(float)
        known = np.isfinite(values)
        seconds = pool.columns.get(f"{name}_seconds", np.zeros(len(values)))[known]
        found[name] = {
            "tau": round(float(kendalltau(values[known], pool.published[known]).statistic), 4),
            "seconds": round(float(seconds.mean()), 4),
            "cells": int(known.sum()),
        }
    return found


def static_order(pool: Pool, columns: Sequence[str], seed: int) -> np.ndarray:
    """The rows of a pool by falling values.

    Args:
        pool: The pool.
        columns: Its own, features of the space, or `"rank sum"`; the most important first.
        seed: Decides between equals.

    Returns:
        Every row once, int `[cells]`.
    """
    noise = stream(seed, "static order").random(len(pool.published))
    return np.lexsort([noise, *(-_values(pool, column) for column in reversed(columns))])


def _values(pool: Pool, column: str) -> np.ndarray:
    """One number per cell: a score of the pool, a feature of the space, or the sum of the ranks of all proxies."""
    if column in pool.columns:
        return pool.columns[column]
    if column == "rank sum":
        return rank_sum(np.stack([pool.columns[name] for name in pool.proxies], 1))
    place = SPACE.feature_names().index(column)
    return np.array([SPACE.features(cell)[place] for cell in pool.space.architectures])
