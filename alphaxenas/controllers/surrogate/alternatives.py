"""Surrogates: what predicts the values of architectures that were not evaluated, for GuidedSearch.

`"gp"` is the Gaussian process (`gaussian_process.py`), the default. `"lstm"` is the network of the main search,
`"none"` predicts from the rewards below a prefix alone, as a tree without a surrogate does.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from alphaxenas.contracts import Budget, SearchSpace, Tokens
from alphaxenas.seeds import derived_seed

SURROGATES = ("gp", "lstm", "none")


class Surrogate(Protocol):
    """Predicts standardised values of architectures, with uncertainty. Deterministic in its seed and data."""

    def fit(self, sequences: Sequence[Tokens], features: np.ndarray, values: np.ndarray) -> None:
        """Learns from everything measured so far.

        Args:
            sequences: `n` complete token sequences.
            features: `[n, d]`.
            values: `[n]`, standardised.
        """

    def condition(self, sequences: Sequence[Tokens], features: np.ndarray, values: np.ndarray) -> None:
        """Conditions the predictions of this plan on more values, some of them predicted; the next `fit` knows nothing
        of it.

        Args:
            sequences: `n` complete token sequences.
            features: `[n, d]`.
            values: `[n]`, standardised.
        """

    def predict(self, sequences: Sequence[Tokens], features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Predicts values.

        Args:
            sequences: `m` complete token sequences.
            features: `[m, d]`.

        Returns:
            Means `[m]` and standard deviations `[m]`.
        """

    def noise(self) -> float:
        """Standard deviation of a measured value about the noiseless one."""

    def state(self) -> dict[str, Any]:
        """What the next `fit` depends on beside the data."""

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over a `state()`; `fit` must follow."""


def make_surrogate(name: str, space: SearchSpace, seed: int, without: Collection[str] = ()) -> Surrogate:
    """Makes a surrogate.

    Args:
        name: One of `SURROGATES`.
        space: Any search space.
        seed: The run's seed.
        without: Groups of features that a Gaussian process does not see; the others read token sequences.
    """
    if name == "gp":
        from alphaxenas.controllers.surrogate.gaussian_process import GaussianProcess

        return GaussianProcess(space, without)
    return LSTMSurrogate(space, seed) if name == "lstm" else Prefixes()


class LSTMSurrogate:
    """The policy and value network of the main search; its deviation is that of its own errors, alike everywhere."""

    def __init__(self, space: SearchSpace, seed: int) -> None:
        from alphaxenas.controllers.alphaxenas.network import PolicyValueLSTM

        self._size, self._length = len(space.vocabulary), space.max_length
        self._network = PolicyValueLSTM(
            self._size, self._length, units=64, seed=derived_seed(seed, "guided", "lstm") % 2**31
        )
        self._rest = 1.0

    def fit(self, sequences: Sequence[Tokens], features: np.ndarray, values: np.ndarray) -> None:
        """See `Surrogate.fit`; goes on from the weights of the fit before.

        Args:
            sequences: `n` complete token sequences.
            features: Not read.
            values: `[n]`, standardised.
        """
        from alphaxenas.controllers.alphaxenas.replay import Examples

        count = len(sequences)
        tokens = np.full((count, self._length), -1, np.int32)
        for row, sequence in enumerate(sequences):
            tokens[row, : len(sequence)] = sequence
        self._network.fit(
            Examples(
                tokens,
                np.array([len(sequence) for sequence in sequences], np.int32),
                self._contexts(count),
                values.astype(np.float32),
                np.zeros((count, self._length, self._size), np.float32),
            )
        )
        self._rest = float(np.std(values - self.predict(sequences, features)[0]))

    def condition(self, sequences: Sequence[Tokens], features: np.ndarray, values: np.ndarray) -> None:
        """Does nothing: values at the predicted means change neither its means nor its one deviation.

        Args:
            sequences: Not read.
            features: Not read.
            values: Not read.
        """

    def predict(self, sequences: Sequence[Tokens], features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See `Surrogate.predict`.

        Args:
            sequences: `m` complete token sequences.
            features: `[m, d]`.
        """
        _, means = self._network.predict(list(sequences), self._contexts(len(sequences)))
        return np.asarray(means, np.float64), np.full(len(sequences), self._rest)

    def noise(self) -> float:
        """Deviation of the values it was fitted to about its means."""
        return self._rest

    def state(self) -> dict[str, Any]:
        """The network with its optimiser."""
        return self._network.state() | {"seed": self._network.seed}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over a `state()`."""
        self._network.seed = int(state["seed"])
        self._network.restore(state)

    @staticmethod
    def _contexts(count: int) -> np.ndarray:
        from alphaxenas.controllers.alphaxenas.replay import Replay

        return np.tile(np.array(Replay.context(Budget(1), 0), np.float32), (count, 1))


class Prefixes:
    """No surrogate: the mean value below the longest known prefix, more uncertain the fewer values there are."""

    def __init__(self) -> None:
        self._sums: dict[Tokens, list[float]] = {}
        self._spread = 1.0

    def fit(self, sequences: Sequence[Tokens], features: np.ndarray, values: np.ndarray) -> None:
        """See `Surrogate.fit`.

        Args:
            sequences: `n` complete token sequences.
            features: Not read.
            values: `[n]`, standardised.
        """
        self._sums, self._spread = {}, float(np.std(values))
        for sequence, value in zip(sequences, values):
            for place in range(len(sequence) + 1):
                row = self._sums.setdefault(sequence[:place], [0.0, 0.0])
                row[0] += float(value)
                row[1] += 1.0

    condition = fit

    def predict(self, sequences: Sequence[Tokens], features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See `Surrogate.predict`.

        Args:
            sequences: `m` complete token sequences.
            features: `[m, d]`.
        """
        means, deviations = np.zeros(len(sequences)), np.zeros(len(sequences))
        for row, sequence in enumerate(sequences):
            place = len(sequence)
            while sequence[:place] not in self._sums:
                place -= 1
            total, count = self._sums[sequence[:place]]
            means[row], deviations[row] = total / count, self._spread / np.sqrt(count)
        return means, deviations

    def noise(self) -> float:
        """The spread of all values."""
        return self._spread

    def state(self) -> dict[str, Any]:
        """Nothing: everything follows from the data."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Nothing to take over."""
