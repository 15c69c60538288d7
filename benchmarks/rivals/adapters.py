"""Search methods of other libraries as controllers of this project (`alphaxenas.contracts.Controller`).

They see one category per place of the token sequence and nothing else: no features, no order of the categories, no size
or depth. Their settings are their libraries' defaults, but for what their documentation advises for such spaces
(`multivariate=True` of TPE). A category may be suggested again; the table answers again and counts no query.

Sources: Akiba et al. 2019, "Optuna"; Bergstra et al. 2011 and Falkner et al. 2018 (TPE, its multivariate form); Real et
al. 2019, "Regularized evolution for image classifier architecture search"; Salinas et al. 2022, "Syne Tune".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from alphaxenas.contracts import Budget, Outcome, Proposal, SearchSpace, Tokens
from alphaxenas.suggestions import invalid


def places(space: SearchSpace) -> list[Tokens]:
    """The legal tokens of every place of a space in which they do not depend on the tokens before.

    Raises:
        ValueError: They do, which categories cannot express.
    """
    found, rng = [], np.random.default_rng(0)
    sequences = [space.encode(space.sample(rng)) for _ in range(32)]
    for place in range(space.max_length):
        legal = {space.legal_actions(sequence[:place]) for sequence in sequences}
        if len(legal) > 1:
            raise invalid("space", "the same tokens after any others", space)
        found += legal
    return found


MOST = 600
"""Suggestions at most; a sampler that repeats itself would otherwise go on for long."""


class Adapter:
    """A controller whose outcomes come in the order of its proposals.

    Attributes:
        asked: How many proposals it made.
    """

    asked = 0

    def ask(self) -> Proposal | None:
        """What the library suggests; None after `MOST` suggestions."""
        if self.asked == MOST:
            return None
        self.asked += 1
        return Proposal(self.asked, self._suggest(), Budget(1))

    def tell(self, outcome: Outcome) -> None:
        """Passes the reward on; what the table lacks has reward 0."""
        self._observe(outcome.reward)

    def diagnostics(self) -> dict[str, float]:
        """Nothing."""
        return {}

    def state(self) -> dict[str, Any]:
        """A search of a rival is not continued.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError

    def restore(self, state: Mapping[str, Any]) -> None:
        """See `state`.

        Args:
            state: Not read.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError

    def _suggest(self) -> Tokens:
        raise NotImplementedError

    def _observe(self, reward: float) -> None:
        raise NotImplementedError


class Optuna(Adapter):
    """A study of Optuna.

    Args:
        space: Of independent places.
        sampler: An Optuna sampler.
    """

    def __init__(self, space: SearchSpace, sampler: Any) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._study = optuna.create_study(direction="maximize", sampler=sampler)
        self._distributions = {
            f"{place:03}": optuna.distributions.CategoricalDistribution(legal)
            for place, legal in enumerate(places(space))
        }

    def _suggest(self) -> Tokens:
        self._trial = self._study.ask(self._distributions)
        return tuple(self._trial.params[name] for name in self._distributions)

    def _observe(self, reward: float) -> None:
        self._study.tell(self._trial, reward)


class SyneTune(Adapter):
    """A searcher of Syne Tune, which minimises.

    Args:
        space: Of independent places.
        searcher: Makes the searcher from its description of the space.
    """

    def __init__(self, space: SearchSpace, searcher: Callable[[dict[str, Any]], Any]) -> None:
        from syne_tune.config_space import choice

        self._names = {f"{place:03}": choice(list(legal)) for place, legal in enumerate(places(space))}
        self._searcher, self._trials = searcher(self._names), 0

    def _suggest(self) -> Tokens:
        self._configuration = self._searcher.suggest()
        return tuple(int(self._configuration[name]) for name in self._names)

    def _observe(self, reward: float) -> None:
        self._searcher.on_trial_complete(self._trials, self._configuration, -reward)
        self._trials += 1


def _tpe(space: SearchSpace, seed: int) -> Adapter:
    import optuna

    return Optuna(space, optuna.samplers.TPESampler(multivariate=True, seed=seed))


def _gaussian_process(space: SearchSpace, seed: int) -> Adapter:
    import optuna

    return Optuna(space, optuna.samplers.GPSampler(seed=seed))


def _evolution(space: SearchSpace, seed: int) -> Adapter:
    from syne_tune.optimizer.schedulers.searchers.regularized_evolution import RegularizedEvolution

    # Its first population is drawn from NumPy's global generator.
    np.random.seed(seed)
    return SyneTune(space, lambda names: RegularizedEvolution(names, random_seed=seed))


RIVALS: dict[str, Callable[[SearchSpace, int], Adapter]] = {
    "Optuna TPE": _tpe,
    "Optuna GPSampler": _gaussian_process,
    "Syne Tune regularised evolution": _evolution,
}
"""By the name that tables give them; each makes a controller from a space and a seed."""
