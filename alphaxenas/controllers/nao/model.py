"""NAO's network at work in a space: trained on measured sequences, it scores sequences, writes them again, and moves to
better ones.

A gradient ascent changes the encoder's outputs of a sequence along the gradient of its score and lets the decoder write
what it finds there:

    outputs' = normalised(outputs + step * d score / d outputs)        (Luo et al. 2018, eq. 2)

Decoding chooses among the tokens that the space calls legal, so that whatever is decoded is a sequence. It runs in
NumPy: what is legal is asked of the space at every place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from alphaxenas.contracts import SearchSpace, Tokens
from alphaxenas.controllers.nao.network import Network, graphs
from alphaxenas.controllers.nao.settings import NetworkSettings
from alphaxenas.controllers.nao.token_arrays import TokenEncoder
from alphaxenas.seeds import stream
from alphaxenas.suggestions import invalid


@dataclass(frozen=True)
class Encoded:
    """`n` sequences in the continuous space.

    Attributes:
        outputs: Of the encoder, `[n, L, U]`, each of length 1, 0 after a sequence's end.
        lengths: Of the sequences, `[n]`.
    """

    outputs: np.ndarray
    lengths: np.ndarray

    @property
    def embeddings(self) -> np.ndarray:
        """Embeddings of the architectures, `[n, U]`, each of length 1."""
        return _normalised(self.outputs.sum(1))

    def moved(self, directions: np.ndarray, step: float) -> Encoded:
        """The sequences after a step in the latent space, normalised to length 1.

        Args:
            directions: `[n, L, U]`.
            step: Step size, >= 0.
        """
        inside = np.arange(self.outputs.shape[1]) < self.lengths[:, None]
        return Encoded(_normalised(self.outputs + np.float32(step) * directions) * inside[:, :, None], self.lengths)


class NAOModel:
    """Encoder, predictor and decoder of the sequences of one space.

    Args:
        space: Any search space.
        settings: Of the network and its training; never changed.
        seed: Of initial weights, batches and dropout.
        variants: Token sequences of equal key that stand for one another while training, at most; 1 = none.
        encoder: Of the same space, if there are some already.

    Attributes:
        settings: As given.
        weights: Of the network, one vector; see `network.Network`.
        steps: Training steps taken.
        losses: Squared error and cross-entropy per token, means over the last tenth of the latest fit's steps.
    """

    def __init__(
        self,
        space: SearchSpace,
        settings: NetworkSettings,
        seed: int = 0,
        variants: int = 8,
        encoder: TokenEncoder | None = None,
    ) -> None:
        self.settings, self._seed, self._variants = settings, seed, variants
        self._encoder = encoder or TokenEncoder(space)
        self._network = Network(self._encoder.vocabulary, self._encoder.length, settings)
        self._graphs, self.weights = graphs(self._network), self._network.initial_weights(seed)
        self._moments = np.zeros((2, len(self.weights)), np.float32)
        self.steps = 0
        self.losses: dict[str, float] = {}

    def fit(
        self,
        sequences: Sequence[Tokens],
        targets: Sequence[float] | np.ndarray,
        epochs: int,
        batch_size: int,
        rates: tuple[float, float] = (1.0, 1.0),
    ) -> np.ndarray:
        """Trains on from the weights there are.

        Args:
            sequences: `n` complete sequences of different keys.
            targets: Their scores, in [0, 1].
            epochs: Passes over the sequences; every pass reads each sequence in one of its variants, which is input of
                the encoder, input of the decoder and what it is to write, all three.
            batch_size: Token sequences per step.
            rates: Learning rate of the first and of the last step, in units of the settings' rate; in between it
                changes evenly.

        Returns:
            Squared error, cross-entropy per token and norm of the applied gradient of every step, `[steps, 3]`.
        """
        if not sequences or len(sequences) != len(targets):
            raise invalid("sequences", f"one or more, as many as targets ({len(targets)})", len(sequences))
        groups = [
            self._encoder.variants(tuple(sequence), self._variants) if self._variants > 1 else [tuple(sequence)]
            for sequence in sequences
        ]
        counts = np.array([len(group) for group in groups])
        arrays = self._encoder.arrays([sequence for group in groups for sequence in group])
        rows = self._rows(counts, epochs, min(batch_size, len(sequences)))
        learning_rates = np.linspace(*rates, len(rows), dtype=np.float32) * np.float32(self.settings.learning_rate)
        seed = np.array([0, self._seed % 2**31], np.int32)
        repeated = np.repeat(np.asarray(targets, np.float32), counts)
        data = arrays.tokens, arrays.lengths, repeated, arrays.legal
        weights, moments, numbers = self._graphs.train(
            self.weights, self._moments, np.int32(self.steps), data, rows, learning_rates, seed
        )
        self.weights, self._moments, numbers = weights.numpy(), moments.numpy(), numbers.numpy()
        self.steps += len(rows)
        error, entropy, _ = numbers[-max(1, len(numbers) // 10) :].mean(0, dtype=np.float64)
        self.losses = {"squared_error": float(error), "cross_entropy": float(entropy)}
        return numbers

    def encode(self, sequences: Sequence[Tokens]) -> Encoded:
        """The sequences in the continuous space."""
        arrays = self._encoder.arrays(sequences)
        return Encoded(self._graphs.encode(self.weights, arrays.tokens, arrays.lengths).numpy(), arrays.lengths)

    def scores(self, encoded: Encoded) -> np.ndarray:
        """Predicted scores `[n]`, in (0, 1)."""
        return self._graphs.score(self.weights, encoded.outputs, encoded.lengths)[0].numpy().astype(np.float64)

    def predict(self, sequences: Sequence[Tokens]) -> np.ndarray:
        """Predicted scores of sequences, `[n]`."""
        return self.scores(self.encode(sequences)) if sequences else np.zeros(0)

    def gradients(self, encoded: Encoded) -> np.ndarray:
        """How the scores grow with the encoder's outputs, `[n, L, U]`."""
        return self._graphs.score(self.weights, encoded.outputs, encoded.lengths)[1].numpy()

    def decode(self, encoded: Encoded, rng: np.random.Generator | None = None) -> list[Tokens]:
        """The sequences that the decoder writes for places of the continuous space; every one is complete and legal.

        Args:
            encoded: The places.
            rng: Draws every token with the decoder's probability; None: the most likely token.
        """
        named = self._network.unpacked(self.weights)
        count, length = encoded.outputs.shape[:2]
        outputs = encoded.outputs * np.float32(self.settings.units**0.5)
        far = np.where(np.arange(length) < encoded.lengths[:, None], 0.0, -1e9).astype(np.float32)
        state = cell = encoded.embeddings
        last = np.full(count, self._encoder.vocabulary)
        found: list[Tokens] = [()] * count
        going = np.arange(count)
        for place in range(length):
            legal = np.stack([self._encoder.legal(found[row]) for row in going])
            unfinished = legal.any(1)
            if not unfinished.all():
                going, legal, state, cell, last = (array[unfinished] for array in (going, legal, state, cell, last))
                if not len(going):
                    break
            inputs = named["decoder_tokens"][last] + named["decoder_places"][place]
            state, cell = _lstm_step(inputs, state, cell, named["decoder_kernel"], named["decoder_bias"])
            weights = _softmax(np.einsum("nu,nlu->nl", state @ named["attention"], outputs[going]) + far[going])
            read = np.einsum("nl,nlu->nu", weights, outputs[going])
            joined = np.tanh(np.concatenate([read, state], axis=1) @ named["joined"])
            logits = np.where(legal, joined @ named["output"] + named["output_bias"], -np.inf)
            # The largest of logits with Gumbel noise is a draw from their softmax.
            last = (logits if rng is None else logits + rng.gumbel(size=logits.shape)).argmax(1)
            for row, token in zip(going.tolist(), last.tolist()):
                found[row] = (*found[row], token)
        return found

    def reconstruct(self, sequences: Sequence[Tokens]) -> list[Tokens]:
        """What the decoder writes of sequences as they are."""
        return self.decode(self.encode(sequences))

    def _rows(self, counts: np.ndarray, epochs: int, batch: int) -> np.ndarray:
        """Which variants of which sequences make up every batch, `[steps, batch]`; the last batch of all is filled up
        from the start.
        """
        rng = stream(self._seed, "nao", "batches", self.steps)
        order = np.concatenate([rng.permutation(len(counts)) for _ in range(epochs)])
        order = np.concatenate([order, order[: -len(order) % batch]])
        first = np.concatenate([[0], np.cumsum(counts)[:-1]])
        return (first[order] + (rng.random(len(order)) * counts[order]).astype(int)).reshape(-1, batch).astype(np.int32)


def _lstm_step(
    inputs: np.ndarray, state: np.ndarray, cell: np.ndarray, kernel: np.ndarray, bias: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """One LSTM step; gates come as input, forget, candidate, output."""
    gates = np.concatenate([inputs, state], axis=1) @ kernel + bias
    units = state.shape[1]
    sigmoids = 0.5 + 0.5 * np.tanh(0.5 * gates)  # without overflow
    cell = sigmoids[:, units : 2 * units] * cell + sigmoids[:, :units] * np.tanh(gates[:, 2 * units : 3 * units])
    return sigmoids[:, 3 * units :] * np.tanh(cell), cell


def _softmax(values: np.ndarray) -> np.ndarray:
    powers = np.exp(values - values.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def _normalised(values: np.ndarray) -> np.ndarray:
    """Vectors along the last axis at length 1; those of length 0 stay."""
    return values / np.sqrt(np.maximum((values * values).sum(-1, keepdims=True), 1e-12))
