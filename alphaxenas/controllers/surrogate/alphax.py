"""AlphaX: UCT whose leaves are valued by one true and several predicted completions.

The value of a simulation is

    (value of the true reward of one rollout + mean of the values of k further rollouts) / 2,

where a further rollout counts with its true reward if it was evaluated, and with the prediction of the meta-DNN
(`alphaxenas.controllers.surrogate.meta_dnn`) otherwise. The meta-DNN is refitted to everything evaluated whenever
`refit_every` more architectures are. With k = 0 it is UCT of the same c, suggestion by suggestion.

Source: Wang et al. 2020, "Neural Architecture Search using Deep Neural Networks and Monte Carlo Tree Search", sections
"Meta-DNN assisted search" and "Meta-DNN", and its code. Departures, besides those of `alphaxenas.controllers.mcts.uct`:

- `planning` simulations are made for each architecture that is evaluated: of all their rollouts the new one with the
  best prediction. The simulations that it does not belong to are valued by the mean of their k + 1 rollouts alone. The
  original's form, in which every simulation evaluates its own first rollout, is `planning=0`.
- The meta-DNN reads `space.features`, equal for equal keys (there: operations as ordinal numbers and an adjacency
  matrix whose layout shifts with the size of the graph, so that equal graphs looked different).
- It learns what the tree averages: ranks by default, accuracies with `values="raw"`.
- Before its first fit nothing is predicted: it is UCT until then.
- All rollouts of a simulation are predicted in one batch.
- Defaults are smaller and faster: two hidden layers of 64, Adam 3e-3, batch 32, refitted every 20. The original's are
  `meta_layers=(512, 2048, 2048, 512), meta_learning_rate=2e-4, meta_batch_size=128, refit_every=100`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from alphaxenas.contracts import SearchSpace, Tokens
from alphaxenas.controllers.alphaxenas.replay import rank_correlation
from alphaxenas.controllers.mcts.tree import Leaf
from alphaxenas.controllers.mcts.uct import FREE_SIMULATIONS, UCT
from alphaxenas.controllers.surrogate.meta_dnn import MetaDNN
from alphaxenas.seeds import generator_state, restore_generator, stream


class AlphaX:
    """UCT with a meta-DNN (`alphaxenas.controllers.promotion.Strategy`).

    Args:
        space: Any search space.
        seed: The run's seed.
        exploration: As for `UCT`; smaller by default, for values of many predictions are steadier than those of single
            rewards.
        values: As for `UCT`.
        rollouts: k, predicted rollouts per simulation, >= 0.
        planning: Simulations per evaluated architecture, >= 0; 0: as in the original, every one evaluates its own
            rollout.
        refit_every: Evaluated architectures from one fit to the next, >= 1.
        meta_layers: Units of the meta-DNN's hidden layers; also as text, `"512-2048-2048-512"`.
        meta_learning_rate: Of Adam, > 0.
        meta_batch_size: Architectures per step, >= 1.
        meta_epochs: Passes per fit, >= 1.

    Raises:
        ValueError: A value out of its range.
    """

    def __init__(
        self,
        space: SearchSpace,
        seed: int,
        exploration: float = 0.1,
        values: str = "ranked",
        rollouts: int = 10,
        planning: int = 30,
        refit_every: int = 20,
        meta_layers: Sequence[int] | str = (64, 64),
        meta_learning_rate: float = 3e-3,
        meta_batch_size: int = 32,
        meta_epochs: int = 20,
    ) -> None:
        for name, value, least in (
            ("rollouts", rollouts, 0),
            ("planning", planning, 0),
            ("refit_every", refit_every, 1),
        ):
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ValueError(f"Invalid value for `{name}`. Expected a whole number >= {least}. Received: {value!r}")
        self._space, self._rollouts, self._planning, self._refit_every = space, rollouts, planning, refit_every
        self._uct = UCT(space, seed, exploration, values)
        if isinstance(meta_layers, str):
            # What is no number stays as it is: the network refuses it by name.
            parts: list[Any] = [int(units) if units.isdecimal() else units for units in meta_layers.split("-")]
            meta_layers = parts
        self._net = MetaDNN(meta_layers, meta_learning_rate, meta_batch_size, meta_epochs, seed)
        self._rng = stream(seed, "alphax")
        self._evaluated: list[tuple[Tokens, float]] = []
        self._fitted = 0
        self._correlation: float | None = None
        self._predicted: dict[str, float] = {}

    def start(self, tokens: Tokens) -> Tokens | None:
        """A suggestion that comes from outside."""
        return self._uct.start(tokens)

    def suggest(self) -> Tokens | None:
        """The most promising new sequence of the next simulations; None when every key has been suggested."""
        uct = self._uct
        if not self._fitted:
            return uct.suggest()
        best: tuple[float, Leaf, Tokens, list[float | None]] | None = None
        for number in range(FREE_SIMULATIONS):
            if number >= self._planning and best is not None:
                break
            leaf = uct.reach()
            if leaf is None:
                break
            sequences = [leaf.tokens]
            if not leaf.complete:
                sequences = [uct.rollout(leaf.tokens, self._rng) for _ in range(self._rollouts + 1)]
            keys, values = self._predict(sequences)
            if not self._planning or (leaf.complete and keys[0] in uct.history):
                suggested = uct.end(leaf, sequences[0], _mean(values[1:]))
                if suggested is not None:
                    return suggested
                continue
            new = [
                (value, -place)
                for place, (key, value) in enumerate(zip(keys, values))
                if value is not None and key not in uct.history
            ]
            if new and (best is None or max(new)[0] > best[0]):
                value, place = max(new)
                self._pass_over(best)
                best = (value, leaf, sequences[-place], values[:-place] + values[1 - place :])
            else:
                self._pass_over((0.0, leaf, (), values))
        return uct.history.draw(self._rng) if best is None else uct.end(best[1], best[2], _mean(best[3]))

    def observe(self, tokens: Tokens, reward: float | None) -> None:
        """Takes the reward of a suggestion, backs up what it says, and refits the meta-DNN when it is time.

        Args:
            tokens: An outstanding suggestion.
            reward: None if the evaluation failed.
        """
        self._uct.observe(tokens, reward)
        if reward is None or not self._rollouts:
            return
        self._evaluated.append((tokens, reward))
        if len(self._evaluated) % self._refit_every == 0:
            self._fit()

    def learn(self, tokens: Tokens, reward: float) -> None:
        """As `alphaxenas.controllers.promotion.Strategy.learn`: what the meta-DNN is fitted to.

        Args:
            tokens: A complete sequence.
            reward: At the search budget.
        """
        if self._uct.history.start(tokens) is not None:
            self.observe(tokens, reward)

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

    def _predict(self, sequences: list[Tokens]) -> tuple[list[str], list[float | None]]:
        """Keys and values of sequences: the true one where it was evaluated, None where that failed."""
        space, rewards = self._space, self._uct.history.rewards
        architectures = [space.decode(tokens) for tokens in sequences]
        keys = [self._uct.history.key(tokens) for tokens in sequences]
        unknown = {
            key: architecture
            for key, architecture in zip(keys, architectures)
            if key not in rewards and key not in self._predicted
        }
        if unknown:
            predicted = self._net.predict(np.stack([space.features(architecture) for architecture in unknown.values()]))
            self._predicted |= zip(unknown, predicted.tolist())
        values: list[float | None] = []
        for key in keys:
            if key not in rewards:
                values.append(self._predicted[key])
            else:
                reward = rewards[key]
                values.append(None if reward is None else self._uct.value(reward))
        return keys, values

    def _pass_over(self, simulation: tuple[float, Leaf, Tokens, list[float | None]] | None) -> None:
        """Ends a simulation of which nothing is evaluated."""
        if simulation is not None and (value := _mean(simulation[3])) is not None:
            self._uct.back_up(simulation[1], value)

    def diagnostics(self) -> dict[str, float]:
        """The tree's numbers; after the second fit the rank correlation of what the meta-DNN had not seen."""
        numbers = self._uct.diagnostics()
        if self._net.loss is not None:
            numbers["surrogate/loss"] = self._net.loss
        return numbers if self._correlation is None else numbers | {"surrogate/rank_correlation": self._correlation}

    def status_line(self) -> str:
        """The most visited prefix."""
        return self._uct.status_line()

    def tree_snapshot(self) -> dict[str, np.ndarray]:
        """As UCT's."""
        return self._uct.tree_snapshot()

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
            "predicted": {
                "keys": list(self._predicted),
                "values": np.array(list(self._predicted.values()), np.float64),
            },
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over a `state()`."""
        self._uct.restore(state["uct"])
        self._net.restore(state["net"])
        restore_generator(self._rng, state["generator"])
        self._evaluated = [(tuple(tokens), reward) for tokens, reward in state["evaluated"]]
        self._fitted, self._correlation = int(state["fitted"]), state["correlation"]
        self._predicted = dict(zip(state["predicted"]["keys"], np.asarray(state["predicted"]["values"]).tolist()))


def _mean(values: list[float | None]) -> float | None:
    """The mean of those that are known; None without any."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
