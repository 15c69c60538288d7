"""AlphaX: UCT whose leaves are valued by one true and several predicted completions.

The value of a simulation is

    (value of the true reward of its rollout + mean over k further rollouts of their predicted values) / 2,

where a further rollout that ends in an evaluated architecture counts with its true reward. The prediction comes from the
meta-DNN (`alphaxenas.controllers.meta_dnn`), refitted to everything evaluated whenever `refit_every` more architectures
are. With k = 0 it is UCT, suggestion by suggestion.

Source: Wang et al. 2020, "Neural Architecture Search using Deep Neural Networks and Monte Carlo Tree Search", sections
"Meta-DNN assisted search" and "Meta-DNN", and its code. Departures, besides those of `alphaxenas.controllers.uct`:

- The meta-DNN reads `space.features`, equal for equal keys (there: operations as ordinal numbers and an adjacency matrix
  whose layout shifts with the size of the graph, so that equal graphs looked different).
- It learns what the tree averages: ranks by default, accuracies with `values="raw"`.
- Before its first fit nothing is predicted, and the true reward counts alone.
- All rollouts of a simulation are predicted in one batch, and the best predicted of them is the one evaluated
  (`choose_best=False`: any).
- Defaults are smaller and faster: two hidden layers of 64, Adam 3e-3, batch 32, refitted every 20. The original's are
  `meta_layers=(512, 2048, 2048, 512), meta_learning_rate=2e-4, meta_batch_size=128, refit_every=100`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from alphaxenas.contracts import SearchSpace, Tokens
from alphaxenas.controllers.meta_dnn import MetaDNN
from alphaxenas.controllers.replay import rank_correlation
from alphaxenas.controllers.uct import UCT
from alphaxenas.seeds import generator_state, restore_generator, stream


class AlphaX:
    """UCT with a meta-DNN (`alphaxenas.controllers.rounds.Strategy`).

    Args:
        space: Any search space.
        seed: The run's seed.
        exploration: As for `UCT`.
        values: As for `UCT`.
        rollouts: k, predicted rollouts per simulation, >= 0.
        choose_best: Whether the best predicted one of the k + 1 rollouts is evaluated, or the first.
        refit_every: Evaluated architectures from one fit to the next, >= 1.
        meta_layers: Units of the meta-DNN's hidden layers; also as text, `"512-2048-2048-512"`.
        meta_learning_rate: Of Adam, > 0.
        meta_batch_size: Architectures per step, >= 1.
        meta_epochs: Passes per fit, >= 1.

    Raises:
        ValueError: A value out of its range.
    """

    def __init__(
        self, space: SearchSpace, seed: int, exploration: float = 0.15, values: str = "ranked", rollouts: int = 10, choose_best: bool = True,
        refit_every: int = 20, meta_layers: Sequence[int] | str = (64, 64), meta_learning_rate: float = 3e-3, meta_batch_size: int = 32,
        meta_epochs: int = 20,
    ) -> None:  # fmt: skip
        for name, value, least in (("rollouts", rollouts, 0), ("refit_every", refit_every, 1)):
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ValueError(f"Invalid value for `{name}`. Expected a whole number >= {least}. Received: {value!r}")
        self._space, self._rollouts, self._choose_best, self._refit_every = space, rollouts, choose_best, refit_every
        self._uct = UCT(space, seed, exploration, values, self._play_on if rollouts else None)
        if isinstance(meta_layers, str):
            meta_layers = tuple(int(units) if units.isdecimal() else units for units in meta_layers.split("-"))
        self._net = MetaDNN(meta_layers, meta_learning_rate, meta_batch_size, meta_epochs, seed)
        self._rng = stream(seed, "alphax")
        self._evaluated: list[tuple[Tokens, float]] = []
        self._fitted = 0
        self._correlation: float | None = None
        self._predicted: dict[str, float] = {}

    def suggest(self) -> Tokens | None:
        """As UCT."""
        return self._uct.suggest()

    def observe(self, tokens: Tokens, reward: float | None) -> None:
        """Takes the reward of a suggestion, backs up what it says, and refits the meta-DNN when it is time."""
        self._uct.observe(tokens, reward)
        if reward is None or not self._rollouts:
            return
        self._evaluated.append((tokens, reward))
        if len(self._evaluated) % self._refit_every == 0:
            self._fit()

    def _fit(self) -> None:
        """Fits to everything evaluated; what came in since the last fit is predicted first, never seen before."""
        features = np.stack([self._space.features(self._space.decode(tokens)) for tokens, _ in self._evaluated])
        rewards = [reward for _, reward in self._evaluated]
        if self._fitted:
            correlation = rank_correlation(self._net.predict(features[self._fitted :]), rewards[self._fitted :])
            self._correlation = correlation if np.isfinite(correlation) else None
        self._net.fit(features, np.array([self._uct.value(reward) for reward in rewards]))
        self._fitted = len(rewards)
        self._predicted = {}

    def _play_on(self, prefix: Tokens) -> tuple[Tokens, float | None]:
        """The rollout to evaluate and the mean value of the others; before the first fit one rollout and no prediction."""
        games = [self._uct.rollout(prefix, self._uct.rng)]
        if not self._fitted or games[0] == prefix:
            return games[0], None
        games += [self._uct.rollout(prefix, self._rng) for _ in range(self._rollouts)]
        values, rewards = self._predict(games), self._uct.ledger.rewards
        chosen = 0
        if self._choose_best:
            chosen = max(range(len(games)), key=lambda place: (values[place][0] not in self._uct.ledger, values[place][1]))
        others = [value for place, (key, value) in enumerate(values) if place != chosen and rewards.get(key, value) is not None]
        return games[chosen], sum(others) / len(others) if others else None

    def _predict(self, games: list[Tokens]) -> list[tuple[str, float]]:
        """Key and value of each game: the true one where it was evaluated."""
        architectures = [self._space.decode(tokens) for tokens in games]
        keys = [self._space.key(architecture) for architecture in architectures]
        unknown = {key: architecture for key, architecture in zip(keys, architectures) if key not in self._predicted}
        if unknown:
            predicted = self._net.predict(np.stack([self._space.features(architecture) for architecture in unknown.values()]))
            self._predicted |= zip(unknown, predicted.tolist())
        rewards = [self._uct.ledger.rewards.get(key) for key in keys]
        return [(key, self._predicted[key] if reward is None else self._uct.value(reward)) for key, reward in zip(keys, rewards)]

    def diagnostics(self) -> dict[str, float]:
        """The tree's numbers; after the second fit the rank correlation of what the meta-DNN had not seen."""
        numbers = self._uct.diagnostics()
        if self._net.loss is not None:
            numbers["surrogate/loss"] = self._net.loss
        return numbers if self._correlation is None else numbers | {"surrogate/rank_correlation": self._correlation}

    def beliefs(self) -> str:
        """The most visited prefix."""
        return self._uct.beliefs()

    def tree(self) -> dict[str, np.ndarray]:
        """As UCT's."""
        return self._uct.tree()

    def state(self) -> dict[str, Any]:
        """Everything needed to go on."""
        return {
            "uct": self._uct.state(),
            "net": self._net.state(),
            "generator": generator_state(self._rng),
            "evaluated": [[[int(token) for token in tokens], reward] for tokens, reward in self._evaluated],
            "fitted": self._fitted,
            "correlation": self._correlation,
            # Predicted again in another batch, they would differ in their last bits.
            "predicted": {"keys": list(self._predicted), "values": np.array(list(self._predicted.values()), np.float64)},
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over a `state()`."""
        self._uct.restore(state["uct"])
        self._net.restore(state["net"])
        restore_generator(self._rng, state["generator"])
        self._evaluated = [(tuple(tokens), reward) for tokens, reward in state["evaluated"]]
        self._fitted, self._correlation = int(state["fitted"]), state["correlation"]
        self._predicted = dict(zip(state["predicted"]["keys"], np.asarray(state["predicted"]["values"]).tolist()))
