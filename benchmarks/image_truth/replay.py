"""Searches replayed on the pool of `benchmarks.image_truth`: real rewards and seconds, judged by published accuracy.

A controller asks for cells of the pool at two budgets and gets the stored rewards; the stored seconds, those of its
proxies and its own processor time are what it spends. Of the cells at the final budget (before the first: at the search
budget) its choice is the one that its belief rates highest, without a belief the one of the highest reward, as in a
run. It is judged by the published accuracy, which no search sees. `uniform_share=1` is the control in which all but
what is trained stays the same: cells are drawn, and the belief chooses. Every seed searches in its own random part of
the pool, and regret counts from the best there. The belief is judged by its order of the cells that were held out,
which are a random sample, unlike those that a search leaves over.

Both budgets are the pool's high one unless `--budgets` says otherwise; a promotion then costs nothing and tells nothing
new, because a run answers what it has measured from its records.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np

from alphaxenas.contracts import Budget, Controller, Outcome, Proposal, Tokens
from alphaxenas.controllers.promotion import SuccessiveHalving
from alphaxenas.proxies.space import SpaceWithProxies
from alphaxenas.report.statistics import compare_many, interval
from alphaxenas.workers.processes import JobError, run_jobs
from benchmarks.image_truth.children import SPACE
from benchmarks.image_truth.pool import STATIC, Pool, controller_of, ranking, read_pool, split, static_order

SEARCH, FINAL = Budget(1), Budget(2)
"""Stand for two of the pool's budgets; what they buy is in its table."""
BUDGETS = ("high", "high")
"""Columns of the pool that hold the rewards at the search budget and at the final budget."""
HELD_OUT = 1 / 3
"""Share of the pool that a seed does not search in."""
FEWEST = 20
"""Held-out cells over which a belief's rank correlation is told."""
MAX_REPEATS = 200
"""So many proposals in a row that cost nothing, and the search is taken to have exhausted the pool."""


class StoredScores:
    """The scores of a pool as `alphaxenas.proxies.scores.ProxyScores` gives them, with their stored seconds.

    Args:
        pool: The pool.
        names: Proxies of the pool.
    """

    elsewhere = None
    """No workers score for it."""

    def __init__(self, pool: Pool, names: Sequence[str]) -> None:
        self.names, self.spent = tuple(names), 0.0
        self._pool, self._known = pool, set[int]()

    def scores(self, architectures: Sequence[Any]) -> np.ndarray:
        """As `ProxyScores.scores`."""
        rows = [self._pool.rows[SPACE.encode(architecture)] for architecture in architectures]
        for row in set(rows) - self._known:
            self.spent += sum(self._pool.columns[f"{name}_seconds"][row] for name in self.names)
        self._known.update(rows)
        return np.stack([self._pool.columns[name][rows] for name in self.names], 1)

    @contextmanager
    def free(self) -> Iterator[None]:
        """What is scored inside is not paid for: the judge asks, not the search."""
        held = self.spent, set(self._known)
        yield
        self.spent, self._known = held

    def take_seconds(self) -> float:
        """As `ProxyScores.take_seconds`; here seconds are counted by the replay."""
        return 0.0


class FixedOrder:
    """A control that learns nothing: cells by falling values (`alphaxenas.controllers.promotion.Strategy`).

    Args:
        pool: The pool.
        columns: Features or proxies, the most important first; `"rank sum"` for the sum of the ranks of all proxies.
        seed: Decides between equals.
    """

    def __init__(self, pool: Pool, columns: Sequence[str], seed: int) -> None:
        order = static_order(pool, columns, seed)
        self._waiting = iter([SPACE.encode(pool.space.architectures[row]) for row in order])

    def suggest(self) -> Tokens | None:
        """The next cell; None behind the last."""
        return next(self._waiting, None)

    def observe(self, tokens: Tokens, reward: float | None) -> None:
        """Nothing: it believes nothing.

        Args:
            tokens: A suggestion.
            reward: Its reward.
        """

    def diagnostics(self) -> dict[str, float]:
        """Nothing."""
        return {}

    def status_line(self) -> str:
        """Nothing."""
        return ""


PAID = "naswot,synflow,jacov"
"""Proxies of the searches that read some, and of their control."""
METHODS = (
    "random",
    f"ranked+{PAID}",
    *STATIC,
    *(f"static:{name}" for name in PAID.split(",")),
    "static:rank sum",
    "alphaxenas:uniform_share=1",
    f"alphaxenas:uniform_share=1+{PAID}",
    "evolution",
    "guided",
    "alphaxenas",
    f"alphaxenas+{PAID}",
)
ABLATION = (
    "alphaxenas:planning=rollouts",
    "alphaxenas:move_rule=puct",
    "alphaxenas:prior=uniform",
    "alphaxenas:climb=false",
    "alphaxenas:free_features=false",
)
"""What the parts of AlphaXENAS are worth: fewer seeds do."""
MARKS = (60.0, 120.0, 300.0, 600.0, 1200.0, 3600.0)
"""Seconds of one core after which a choice is judged; the last are 30 minutes of two cores."""


def made(
    pool: Pool, method: str, seed: int, promote_every: int, whole: Pool | None = None
) -> tuple[Controller, StoredScores | None]:
    """A searcher of the pool.

    Args:
        pool: The pool, or a part of one.
        method: A controller with settings, such as `guided:plan=rollouts`, after a `+` the proxies that it may read,
            such as `random+naswot,synflow`; or an order such as `static:parameters`.
        seed: Of the search.
        promote_every: Cells at the search budget for one at the final budget, the same for all.
        whole: Of which it is a part; its belief may be asked about all cells.

    Returns:
        The controller, and the scores that it reads if any: a static order has paid for those of all cells.
    """
    if method.startswith("static:"):
        columns, read = STATIC.get(method, (method.partition(":")[2],)), None
        names = pool.proxies if columns == ("rank sum",) else [name for name in columns if name in pool.proxies]
        if names:
            read = StoredScores(pool, names)
            read.scores(pool.space.architectures)
        return SuccessiveHalving(FixedOrder(pool, columns, seed), pool.space, SEARCH, FINAL, promote_every), read
    words, _, names = method.partition("+")
    scores = StoredScores(whole or pool, names.split(",")) if names else None
    space = pool.space if scores is None else SpaceWithProxies(pool.space, scores)  # type: ignore[arg-type]
    return controller_of(words, space, seed, (SEARCH, FINAL), promote_every), scores


def replay(
    pool: Pool,
    method: str,
    seed: int,
    marks: Sequence[float],
    promote_every: int = 4,
    clock: Callable[[], float] = time.process_time,
    budgets: tuple[str, str] = BUDGETS,
    held_out: float = 0.0,
) -> dict[str, Any]:
    """One search.

    Args:
        pool: The pool.
        method: See `made`.
        seed: Of the search.
        marks: Ascending seconds after which the choice is judged; what is not over by then does not count.
        promote_every: See `made`.
        clock: Gives the seconds that the controller itself takes.
        budgets: See `BUDGETS`.
        held_out: Share of the pool that it does not search in.

    Returns:
        `best`: published accuracy of the best cell of its part, `published`: of the choice at every mark (of a random
        cell where nothing is over yet: the mean); `tau`: Kendall's tau of the belief with the published accuracy over
        the held-out cells, NaN without a belief or with fewer than `FEWEST` of them; by the name of a budget: cells
        trained at it until the end; `own`: seconds of the controller, `proxies`: of scores.
    """
    whole, (pool, held) = pool, split(pool, held_out, seed)
    begin = clock()
    controller, scores = made(pool, method, seed, promote_every, whole)
    cheap, dear = budgets
    trained, known, idle = 0.0, {name: dict[int, None]() for name in budgets}, 0
    judged: list[tuple[float, float]] = []
    every = [SPACE.encode(cell) for cell in pool.space.architectures]
    unseen = [SPACE.encode(whole.space.architectures[row]) for row in held]
    judge = getattr(controller, "quality", lambda sequences: None)

    def judgement() -> tuple[float, float]:
        rows = list(known[dear] or known[cheap])
        if not rows:
            return float(pool.published.mean()), float("nan")
        with scores.free() if scores else nullcontext():
            quality = judge([*every, *unseen])
        values = pool.columns[dear if known[dear] else cheap] if quality is None else quality
        tau = float("nan")
        if quality is not None and len(unseen) >= FEWEST:
            from scipy.stats import kendalltau

            tau = float(kendalltau(quality[len(every) :], whole.published[held]).statistic)
        return float(pool.published[rows[int(np.argmax(values[rows]))]]), tau

    own = clock() - begin
    while len(judged) < len(marks) and idle <= MAX_REPEATS:
        begin = clock()
        proposal = controller.ask()
        own += clock() - begin
        if proposal is None:
            break
        row, fidelity = pool.rows[proposal.tokens], dear if proposal.purpose == "final" else cheap
        new = row not in known[fidelity]
        idle = 0 if new else idle + 1
        trained += float(pool.columns[f"{fidelity}_seconds"][row]) if new else 0.0
        spent = trained + own + (scores.spent if scores else 0.0)
        while len(judged) < len(marks) and spent > marks[len(judged)]:
            judged.append(judgement())
        known[fidelity][row] = None
        reward = float(pool.columns[fidelity][row])
        begin = clock()
        controller.tell(_outcome(proposal, reward))
        own += clock() - begin
    judged += [judgement()] * (len(marks) - len(judged))
    return {
        "best": float(pool.published.max()),
        "published": [round(value, 4) for value, _ in judged],
        "tau": [round(tau, 4) for _, tau in judged],
        **{name: len(rows) for name, rows in known.items()},
        "own": round(own, 2),
        "proxies": round(scores.spent, 2) if scores else 0.0,
    }


def _outcome(proposal: Proposal, reward: float) -> Outcome:
    return Outcome(proposal, reward, metrics={"parameters": 1.0})


@dataclass(frozen=True)
class Job:
    """What `alphaxenas.workers.processes.run_jobs` does: one search, by (method, seed).

    Attributes:
        pool: The arguments of `read_pool`.
        marks: See `replay`.
        promote_every: See `replay`.
        budgets: See `replay`.
        held_out: See `replay`.
    """

    pool: tuple[str, str, str]
    marks: tuple[float, ...]
    promote_every: int
    budgets: tuple[str, str]
    held_out: float

    def __call__(self, job: tuple[str, int]) -> dict[str, Any]:
        """The result of `replay`."""
        how = {"budgets": self.budgets, "held_out": self.held_out}
        return replay(read_pool(*self.pool), *job, self.marks, self.promote_every, **how)  # type: ignore[arg-type]


def _mean(values: list[float]) -> float | None:
    """Of the numbers among them; None without any."""
    known = [value for value in values if np.isfinite(value)]
    return round(float(np.mean(known)), 3) if known else None


def search(options: argparse.Namespace) -> tuple[dict[str, Any], dict[str, Any]]:
    """All searches of the verb `replay` of `benchmarks.image_truth`: figures, and regrets by method and seed."""
    where = (options.pool, options.published, options.column)
    pool = read_pool(*where)
    regrets: dict[str, dict[int, list[float]]] = {}
    details: dict[str, list[dict]] = {}
    jobs = [(method, seed) for method in options.methods for seed in range(options.seeds)]
    work = Job(where, MARKS, options.promote_every, tuple(options.budgets), options.held_out)
    for (method, seed), answer in run_jobs(work, jobs, options.processes):
        if isinstance(answer, JobError):
            sys.exit(f"image_truth: {method}, seed {seed}: {answer.reason}")
        regrets.setdefault(method, {})[seed] = [round(answer["best"] - value, 4) for value in answer["published"]]
        details.setdefault(method, []).append(answer)
        print(f"{method}, seed {seed}: regret {regrets[method][seed]}", file=sys.stderr, flush=True)
    pairs = {
        (method, place): tuple(
            {seed: -each[place] for seed, each in regrets[one].items()} for one in (method, "random")
        )
        for method in options.methods
        for place in range(len(MARKS))
        if method != "random" and "random" in regrets
    }
    compared = compare_many(pairs)
    figures = {
        "cells": len(pool.published),
        "best": float(pool.published.max()),
        "column": options.column,
        "marks": list(MARKS),
        "promote_every": options.promote_every,
        "budgets": list(options.budgets),
        "held_out": round(options.held_out, 4),
        "ranking": ranking(pool),
        "methods": {
            method: {
                "seeds": len(by_seed),
                "regret": [_bounds([each[place] for each in by_seed.values()]) for place in range(len(MARKS))],
                "better_than_random": [
                    compared[method, place].verdict if (method, place) in compared else ""
                    for place in range(len(MARKS))
                ],
                "tau": [_mean([each["tau"][place] for each in details[method]]) for place in range(len(MARKS))],
                **{
                    name: round(float(np.mean([each[name] for each in details[method]])), 2)
                    for name in dict.fromkeys([*options.budgets, "own", "proxies"])
                },
            }
            for method, by_seed in regrets.items()
        },
    }
    values = {
        method: {str(seed): each for seed, each in sorted(by_seed.items())} for method, by_seed in regrets.items()
    }
    return figures, values


def _bounds(values: Sequence[float]) -> list[float | None]:
    """Mean and 95 % interval."""
    found = interval(values)
    return [None if number is None else round(number, 4) for number in (found.mean, found.low, found.high)]
