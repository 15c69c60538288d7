"""What the parameters say of a user's wishes and knowledge: limits, objectives, favoured choices, starting points."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from alphaxenas.config import Config
from alphaxenas.config.rules import favoured, starting
from alphaxenas.contracts import Evaluator, SearchSpace
from alphaxenas.controllers.pareto.objectives import Objectives, named
from alphaxenas.evaluators.costs import NetworkCosts, PricedEvaluator
from alphaxenas.pipelines.factory import ImageShape, child_network, final_network, search_space
from alphaxenas.spaces.user_space import Limits, UserSpace

LATENCIES = "latency.jsonl"
"""File of the run's folder that keeps what was measured."""
NAMES = {"latency_ms": "max_latency_ms", "epochs": "train_epochs"}
COUNTED = ("parameters", "multiply_adds")
"""Costs of an architecture that need no measurement."""


def objectives(config: Config, data: ImageShape | Any) -> Objectives | None:
    """The configured objectives, with those costs that can be counted before a child is trained.

    Latency is not among these: it is measured when a child is about to be trained, too slow to be asked for all that a
    search looks at.

    Args:
        config: The configuration.
        data: Image shape and number of classes count.

    Returns:
        None where accuracy alone is looked for.
    """
    wanted = named(config.search.objectives)
    if wanted is None or not any(one.metric in COUNTED for one in wanted.parts):
        return wanted
    return replace(wanted, costs=network_costs(config, data).counted, takes_time=True)


def user_space(config: Config, data: ImageShape | Any) -> SearchSpace:
    """The configured space as controllers see it: with limits, favoured choices and starting architectures.

    Args:
        config: The configuration.
        data: Image shape and number of classes count.

    Returns:
        The plain space where nothing of that is configured.

    Raises:
        ValueError: A word or an architecture is not of the space, or nothing holds the limits, as far as they can be
            counted; names the parameter.
    """
    space, maxima = search_space(config), counted_limits(config)
    weights, starts = favoured(config), starting(config)
    costs: Callable[[Any], Mapping[str, float]] = network_costs(config, data).counted if maxima else lambda _: {}
    if config.training.train_teraflops and hasattr(data, "train"):
        maxima, costs = {**maxima, "epochs": float(config.training.train_epochs)}, with_epochs(config, data, costs)
    if not (maxima or weights or starts):
        return space
    limits = Limits(maxima, costs, NAMES, takes_time=True) if maxima else None
    wished = UserSpace(space, limits, weights, starts)
    wished.check_limits()
    return wished


def with_epochs(config: Config, data: Any, counted: Callable[[Any], Mapping[str, float]]) -> Callable[[Any], Any]:
    """Costs that tell how many epochs `train_teraflops` pay for.

    Networks for which that is more than `train_epochs` are too small for the price of the final training. In the short
    trainings of a search they would win, because they see the most images.

    Args:
        config: The configuration.
        data: The configured images.
        counted: Other costs of an architecture.

    Returns:
        The costs of an architecture, `epochs` among them.
    """
    from alphaxenas.networks.training.fit import OPERATIONS

    images = 1e12 * config.training.train_teraflops / len(data.train)
    final = NetworkCosts(search_space(config), lambda one: final_network(config, one, data), data.image_shape)

    def costs(architecture: Any) -> Mapping[str, float]:
        epochs = images / (OPERATIONS * final.counted(architecture)["multiply_adds"])
        return {**counted(architecture), "epochs": epochs}

    return costs


def priced(config: Config, data: Any, evaluator: Evaluator) -> Evaluator:
    """The evaluator of a search that needs to know costs, measured ones included; others stay as they are.

    Args:
        config: The configuration.
        data: The configured images.
        evaluator: What rates the children.

    Raises:
        ValueError: Even the smallest of some architectures is slower than `max_latency_ms`.
    """
    slowest, measures = config.search.max_latency_ms, "latency" in config.search.objectives
    maxima = counted_limits(config)
    if not (maxima or slowest or measures):
        return evaluator
    space, costs = search_space(config), network_costs(config, data)
    known: Callable[[Any], Mapping[str, float]] = costs.counted
    if slowest or measures:
        maxima |= {"latency_ms": slowest} if slowest else {}

        def known(architecture: Any) -> Mapping[str, float]:
            return {**costs.counted(architecture), **costs.measured(architecture)}

    limits = Limits(maxima, known, NAMES)
    if slowest:
        check_latency(user_space(config, data), costs, slowest)
    return PricedEvaluator(evaluator, space, limits)


def check_latency(space: SearchSpace, costs: NetworkCosts, slowest: float) -> None:
    """Refuses a limit that the cheapest of many architectures does not hold.

    Args:
        space: What is searched.
        costs: Of its architectures.
        slowest: The limit in ms.

    Raises:
        ValueError: Names the parameter and what was measured.
    """
    import numpy as np

    from alphaxenas.seeds import stream
    from alphaxenas.suggestions import invalid

    rng = stream(0, "limits", "latency")
    drawn = [space.sample(rng) for _ in range(64)]
    work = [costs.counted(architecture)["multiply_adds"] for architecture in drawn]
    fastest = min(costs.measured(drawn[place])["latency_ms"] for place in np.argsort(work)[:3].tolist())
    if fastest > slowest:
        expected = f"at least {fastest:.3g}, what the smallest of {len(drawn)} architectures took on this machine"
        raise invalid("max_latency_ms", expected, f"{slowest:g}, which probably no architecture holds")


def network_costs(config: Config, data: ImageShape | Any) -> NetworkCosts:
    """Costs of the networks that the search trains.

    Args:
        config: The configuration.
        data: Image shape and number of classes count.
    """
    file = Path(config.run.exp_dir, config.run.run, LATENCIES)
    build = child_network(config, data.num_classes)
    return NetworkCosts(search_space(config), build, data.image_shape, config.child.batch_size, file)


def counted_limits(config: Config) -> dict[str, float]:
    """The limits that need no measurement, by cost."""
    search = config.search
    given = {"parameters": float(search.max_parameters), "multiply_adds": 1e6 * search.max_multiply_adds}
    return {name: most for name, most in given.items() if most}
