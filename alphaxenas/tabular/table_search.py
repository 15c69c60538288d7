"""One search on a table: the table, the rows that end it, and the loop that lets a controller query the table."""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from alphaxenas.contracts import Budget, Controller, Outcome, SearchSpace
from alphaxenas.controllers.catalogue import make_controller
from alphaxenas.controllers.pareto.front import hypervolume
from alphaxenas.networks.options import NetworkOptions
from alphaxenas.networks.registry import build_network
from alphaxenas.networks.training.initial import NetworkWithBatch
from alphaxenas.proxies import PROXIES, ProxyScores, SpaceWithProxies, check_names
from alphaxenas.seeds import stream
from alphaxenas.suggestions import invalid
from alphaxenas.tabular.benchmark_tables import BenchmarkTable, read_table
from alphaxenas.tabular.choices import OPTIMA, ControllerChoice, TableChoice, parse_target

MAX_REPEATS = 1000
"""So many known or missing architectures in a row, and the search is taken to have exhausted the space."""


@dataclass
class Trace:
    """What a search did.

    Attributes:
        rows: Row of the table by query.
        ended: `"found"`, `"cap"` or `"exhausted"`.
        not_in_table: Proposals that the table lacks.
        diagnostics: `(queries so far, diagnostics of the controller)`.
    """

    rows: list[int] = field(default_factory=list)
    ended: str = ""
    not_in_table: int = 0
    diagnostics: list[tuple[int, dict[str, float]]] = field(default_factory=list)


def load_table(choice: TableChoice) -> BenchmarkTable:
    """The chosen table, read once as long as its file does not change.

    Raises:
        ValueError: It is none; names file, row and column.
    """
    try:
        state = os.stat(choice.path)
    except OSError:  # the reader says what is wrong
        return _read(choice, 0, 0)
    return _read(choice, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=8)
def _read(choice: TableChoice, changed: int, size: int) -> BenchmarkTable:
    return read_table(
        choice.path,
        choice.code,
        choice.signal,
        choice.report or None,
        choice.cost or None,
        choice.space,
        choice.epochs or None,
        choice.same_signal_and_report,
        dict(choice.where),
        choice.repeats or None,
        dict(choice.at_most),
    )


def make(choice: ControllerChoice, table: BenchmarkTable, seed: int) -> Controller:
    """Makes the chosen controller in the space of a table.

    Args:
        choice: Name and settings of the controller. The setting `proxies` is for every controller: free zero-cost
            proxies joined by `+`, as in `guided:proxies=depth+multiply_adds`.
        table: The table that it searches.
        seed: Of the search.

    Returns:
        The controller, before its first trial.

    Raises:
        ValueError: A controller, a setting or a proxy is not possible here.
    """
    settings = dict(choice.settings)
    proxies = str(settings.pop("proxies", ""))
    # Spaces are hashable, which a protocol cannot say.
    space = with_free_proxies(table.space, tuple(proxies.split("+"))) if proxies else table.space  # type: ignore[arg-type]
    return make_controller(choice.name, space, seed, Budget(1), objectives=table.objectives, **settings)


@lru_cache(maxsize=8)
def with_free_proxies(space: SearchSpace, names: tuple[str, ...]) -> SpaceWithProxies:
    """A space with proxies of its networks' shapes: small ones, which have the order of large ones.

    Args:
        space: Of a table.
        names: Keys of `PROXIES` that need no images.

    Returns:
        The space, one for all searches of a process, so that every architecture is scored once.

    Raises:
        ValueError: A proxy does not exist or needs images, or the space has no networks.
    """
    check_names(names)
    if costly := [name for name in names if PROXIES[name].cost != "free"]:
        free = ", ".join(name for name, proxy in PROXIES.items() if proxy.cost == "free")
        raise invalid("proxies", f"names among {free}: tables have no images", repr(costly[0]))
    options = NetworkOptions(num_classes=10, filters=16, cells=3)

    def network_of(architecture: Any) -> NetworkWithBatch:
        return NetworkWithBatch(build_network(architecture, options), (32, 32, 3), lambda: (None, None))

    scores = ProxyScores(names, space.key, network_of)
    try:
        scores.check(space.sample(stream(0, "proxies", "check")))
    except TypeError as error:
        raise ValueError(f"Invalid value for `proxies`. Expected none for this table. {error}") from error
    return SpaceWithProxies(space, scores)


def goal_rows(table: BenchmarkTable, target: str) -> frozenset[int]:
    """The rows that end a search.

    Args:
        table: Any table.
        target: `"optimum"`: all rows with the best signal. `"first-optimum"`: the first of them. A share such as
            `"0.001"`: the rows of this top share, and those as good as the last of them. A value such as `"94.0"` or
            `">=0.94"`: the rows whose signal is at least that. Rows that break a limit are left out; where several
            signals are searched no row ends the search, which then goes on to its cap.

    Raises:
        ValueError: The target is none of these, or a value that no row has.
    """
    kind, number = parse_target(target)
    if table.objectives is not None:
        return frozenset()
    signal = table.signal if table.allowed is None else np.where(table.allowed, table.signal, -np.inf)
    if target == OPTIMA[1]:
        return frozenset([int(np.argmax(signal))])
    threshold = number if kind == "value" else np.sort(signal)[-max(1, int(number * np.isfinite(signal).sum()))]
    if threshold > table.optimum:
        raise invalid("target", f"at most the best signal of the table, {table.optimum:g}", repr(target))
    return frozenset(np.flatnonzero(signal >= threshold).tolist())


def volume_share(table: BenchmarkTable, rows: Sequence[int]) -> float:
    """The hypervolume of rows of a table with several signals, as a share of that of all rows.

    It is measured from the worst value of every signal in the table.

    Args:
        table: Any table.
        rows: Places of rows.
    """
    vectors = table.vectors if table.allowed is None else table.vectors[table.allowed]
    reference = vectors.min(0)
    return hypervolume(table.vectors[list(rows)], reference) / hypervolume(vectors, reference)


def run_search(table: BenchmarkTable, controller: Controller, cap: int, goals: Collection[int] = ()) -> Trace:
    """Lets a controller query a table.

    Args:
        table: Rows and their values.
        controller: Knows the table's space; may have queried before.
        cap: Queries at most.
        goals: Ends with the first query of one of these rows.

    Returns:
        What it did. A row that this call has queried before is answered again but is no query.
    """
    trace = Trace()
    ask, tell, lookup, rewards = controller.ask, controller.tell, table.lookup, table.rewards.tolist()
    measures = {} if table.objectives is None else {name: each.tolist() for name, each in table.measures.items()}
    rows, known, idle, mark = trace.rows, bytearray(len(rewards)), 0, 5
    while len(rows) < cap:
        proposal = ask()
        if proposal is None or idle > MAX_REPEATS:
            trace.ended = "exhausted"
            break
        row = lookup(proposal.tokens)
        if row is None:
            trace.not_in_table, idle = trace.not_in_table + 1, idle + 1
            tell(Outcome(proposal, 0.0, "missing"))
            continue
        tell(Outcome(proposal, rewards[row], metrics={name: column[row] for name, column in measures.items()}))
        if known[row]:
            idle += 1
            continue
        known[row], idle = 1, 0
        rows.append(row)
        if row in goals:
            trace.ended = "found"
            break
        if len(rows) == mark:
            trace.diagnostics.append(
                (mark, {tag: value for tag, value in controller.diagnostics().items() if math.isfinite(value)})
            )
            mark = max(mark + 5, mark * 11 // 10)
    trace.ended = trace.ended or "cap"
    return trace
