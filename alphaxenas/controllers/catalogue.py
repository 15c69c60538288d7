"""All controllers by name. Each is imported when it is made, so that tabular searches start without TensorFlow."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from importlib import import_module
from inspect import signature
from typing import Any, NamedTuple

from alphaxenas.contracts import Budget, Controller, SearchSpace
from alphaxenas.controllers.pareto.objectives import Objectives
from alphaxenas.controllers.promotion import Strategy, SuccessiveHalving
from alphaxenas.seeds import derived_seed
from alphaxenas.suggestions import check_name, did_you_mean, invalid


class Entry(NamedTuple):
    """A strategy of the catalogue.

    Attributes:
        place: Module and class; the class takes a space, a seed and settings (`promotion.Strategy`).
        display: Its name in figures and tables; variants of a published method say how they differ.
        settings: What makes another controller of a class; settings that are given go before.
        pareto: Module and class for several objectives, which it takes after the seed; empty where `pareto.scalarised`
            makes one of the class.
    """

    place: str
    display: str
    settings: Mapping[str, Any] = {}
    pareto: str = ""


_HERE = "alphaxenas.controllers"
_POOL = {"policies": 4, "imitation": 0.1, "restart_below": 0.5}
_NSGA2 = f"{_HERE}.pareto.nsga2.NSGA2"
_IMPROVEMENT = f"{_HERE}.pareto.improvement.ExpectedHypervolume"
STRATEGIES = {
    "random": Entry(f"{_HERE}.baselines.random_search.RandomSearch", "random search"),
    "ranked": Entry(f"{_HERE}.baselines.ranked.RankedSample", "random search with proxies"),
    "static": Entry(f"{_HERE}.baselines.ranked.RankedSample", "static order", {"by": "depth+parameters"}),
    "uct": Entry(f"{_HERE}.mcts.uct.UCT", "UCT (ranked values)"),
    "alphax": Entry(f"{_HERE}.surrogate.alphax.AlphaX", "AlphaX (ranked values, planning)"),
    "evolution": Entry(f"{_HERE}.baselines.evolution.RegularizedEvolution", "regularized evolution", {}, _NSGA2),
    "local": Entry(f"{_HERE}.baselines.local_search.LocalSearch", "local search"),
    "guided": Entry(f"{_HERE}.surrogate.guided.GuidedSearch", "GuidedSearch", {}, _IMPROVEMENT),
    "reinforce": Entry(f"{_HERE}.policy_gradient.reinforce.Reinforce", "REINFORCE"),
    "controller_pool": Entry(f"{_HERE}.policy_gradient.reinforce.Reinforce", "pool of controllers", _POOL),
    "nao": Entry(f"{_HERE}.nao.controller.NAO", "NAO"),
}
"""A new controller is one module and one line here."""
CONTROLS = ("random", "ranked", "static")
"""What searches that learn are compared with. They take a `uniform_share` as AlphaXENAS does, so that shared weights
have one history in all: `SuccessiveHalving`.
"""
DISPLAY_NAMES = {"alphaxenas": "AlphaXENAS"} | {name: entry.display for name, entry in STRATEGIES.items()}
CONTROLLERS = tuple(DISPLAY_NAMES)


def make_controller(
    name: str,
    space: SearchSpace,
    seed: int,
    search_budget: Budget,
    final_budget: Budget | None = None,
    promote_every: int = 0,
    promotion: str = "best_unpromoted",
    objectives: Objectives | None = None,
    rewards_age: bool = False,
    **settings: Any,
) -> Controller:
    """The controller called `name`.

    Args:
        name: One of `CONTROLLERS`.
        space: Any search space.
        seed: The run's seed.
        search_budget: What most architectures are evaluated with.
        final_budget: What promoted architectures are evaluated with; None without promotions.
        promote_every: Architectures evaluated at the search budget per promotion, 0 = no promotions. For
            `"alphaxenas"` it is `search_children`, and without a final budget promoted architectures have the search
            budget.
        promotion: The rule, one of `promotion.PROMOTION_RULES`; `"rollout"` for `"alphaxenas"` alone.
        objectives: What is searched for where that is more than the reward; the outcomes' metrics hold their costs.
        rewards_age: Whether children share weights, so that rewards at the search budget rise with time.
        **settings: Further keyword arguments of the controller's or strategy's class; of `CONTROLS` also
            `uniform_share`.

    Raises:
        ValueError: An unknown name or setting, or a setting out of its range.
    """
    check_name("name", name, ("alphaxenas", *STRATEGIES))
    if name == "alphaxenas":
        from alphaxenas.controllers.alphaxenas.settings import Settings

        settings = {"search_children": promote_every, "promotion": promotion, **settings}
        _check(name, Settings, settings)
        chosen = Settings(**settings)
        if chosen.planning == "children":
            if objectives is not None:
                raise invalid("planning", "'tree' or 'rollouts' where there are several objectives", "'children'")
            from alphaxenas.controllers.alphaxenas.original import OriginalAlphaXENAS

            return OriginalAlphaXENAS(space, search_budget, final_budget or search_budget, seed=seed, **settings)
        from alphaxenas.controllers.alphaxenas.controller import AlphaXENAS

        budgets = (search_budget, final_budget or search_budget)
        planned = _strategy(lambda seed: AlphaXENAS(space, seed, rewards_age, **settings), space, seed, objectives)
        shares = chosen.search_children, chosen.uniform_share
        return SuccessiveHalving(planned, space, *budgets, *shares, objectives, rewards_age)
    if promotion != "best_unpromoted":
        expected = "'best_unpromoted': only alphaxenas has another rule"
        raise invalid("promotion", expected, repr(promotion), f"of the controller {name}")
    entry = STRATEGIES[name]
    pareto = objectives is not None and entry.pareto
    kind = _imported(entry.pareto if pareto else entry.place)
    settings = {**entry.settings, **settings}
    share = settings.pop("uniform_share", 0.0) if name in CONTROLS else 0.0
    _check(name, kind, settings)
    if pareto:
        strategy = kind(space, seed, objectives, **settings)
    else:
        strategy = _strategy(lambda seed: kind(space, seed, **settings), space, seed, objectives)
    shares = promote_every, share
    return SuccessiveHalving(strategy, space, search_budget, final_budget, *shares, objectives, rewards_age)


def _strategy(
    make: Callable[[int], Strategy], space: SearchSpace, seed: int, objectives: Objectives | None
) -> Strategy:
    """The strategy that `make` makes of a seed; with objectives one of their directions each."""
    if objectives is None:
        return make(seed)
    from alphaxenas.controllers.pareto.scalarised import Scalarised

    return Scalarised(
        lambda number: make(derived_seed(seed, "direction", number) if number else seed),
        len(objectives.parts),
        lambda tokens: space.key(space.decode(tokens)),
    )


def resolved_settings(name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """All settings of a controller, those left at their defaults included, for the records of a search.

    Args:
        name: One of `CONTROLLERS`.
        settings: The settings that are given.

    Returns:
        JSON values by the name of the setting; what JSON cannot say stands as its `repr`.
    """
    entry = STRATEGIES.get(name, Entry(f"{_HERE}.alphaxenas.settings.Settings", ""))
    resolved = {**_defaults(_imported(entry.place)), **entry.settings, **settings}
    return json.loads(json.dumps(resolved, default=repr))


def _imported(place: str) -> Any:
    """A class by module and name."""
    module, kind = place.rsplit(".", 1)
    return getattr(import_module(module), kind)


def _defaults(kind: type) -> dict[str, Any]:
    """The settings of a class, its arguments that have a default but for the seed, and these defaults."""
    arguments = signature(kind).parameters.values()
    return {one.name: one.default for one in arguments if one.default is not one.empty and one.name != "seed"}


def _check(name: str, kind: type, settings: dict[str, Any]) -> None:
    """ValueError unless the class takes all settings."""
    allowed = [*_defaults(kind), *(["uniform_share"] if name in CONTROLS else [])]
    for setting in settings:
        if setting not in allowed:
            expected = " or ".join(allowed) or "none"
            raise ValueError(
                f"Invalid setting for the controller {name}. Expected {expected}. "
                f"Received: {setting!r}{did_you_mean(setting, allowed)}"
            )
