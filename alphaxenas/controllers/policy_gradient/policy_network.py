"""A recurrent policy: which token follows a prefix, with which probability, in any search space.

At every step the network reads the last token (a start token first) and the place in the sequence, each through an
embedding, and gives a softmax over the tokens that are legal there:

    e_t = token embedding[last token] + place embedding[t]
    h_t = cell(e_t, memory)                                        `recurrent_cell`
    logits_t = C tanh(h_t W_t + b_t)                               without tanh where C = 0; illegal tokens get -inf

Every place has a softmax of its own, as in Zoph & Le 2017, section 3.1. The tanh constant is that of Bello et al. 2017,
"Neural combinatorial optimization", which ENAS took over; it holds when architectures are drawn and when the policy
learns from them, so a probability is the same in both.

NumPy with a hand-written derivative: a policy is asked for a few sequences at a time, which costs less than a call into
TensorFlow. All parameters are views into one vector, so that optimisers, clipping and checkpoints see one array.

Notation: n sequences, T steps, V tokens, U units, E numbers of an embedding.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from alphaxenas.contracts import Tokens
from alphaxenas.controllers.policy_gradient.recurrent_cell import CELLS
from alphaxenas.seeds import stream
from alphaxenas.suggestions import check_name, check_whole, invalid

LegalActions = Callable[[Tokens], Tokens]
EMBEDDING = 16
"""E."""
SPREAD = 0.1
"""Initial weights are uniform in [-SPREAD, SPREAD], as in the published controllers; the first policy is nearly
uniform.
"""


@dataclass(frozen=True)
class Drawn:
    """A sequence drawn from a policy.

    Attributes:
        tokens: The complete sequence.
        log_policy: Log-probability of the sequence under the policy that drew it.
        log_uniform: Log-probability under uniform choices among the legal tokens of every step.
    """

    tokens: Tokens
    log_policy: float
    log_uniform: float


@dataclass(frozen=True)
class Evaluation:
    """Sequences under a policy.

    Attributes:
        log_probabilities: Of each sequence, `[n]`.
        entropies: Sum of the entropies of its steps, nats, `[n]`.
    """

    log_probabilities: np.ndarray
    entropies: np.ndarray


class PolicyNetwork:
    """Probabilities of token sequences.

    Args:
        vocabulary_size: V.
        max_length: T of the longest sequence.
        cell: `"lstm"` or `"nascell"`.
        units: U.
        tanh_constant: C, the largest logit; 0 = unbounded.
        seed: Of the initial weights.
        logits: Initial logits of the tokens, `[V]`, such as the logarithms of a user's prior; None for none.

    Attributes:
        parameters: All weights, one vector; changing it in place changes the policy.

    Raises:
        ValueError: A value out of its range.
    """

    def __init__(
        self,
        vocabulary_size: int,
        max_length: int,
        cell: str = "lstm",
        units: int = 32,
        tanh_constant: float = 0.0,
        seed: int = 0,
        logits: np.ndarray | None = None,
    ) -> None:
        check_whole("units", units)
        check_name("cell", cell, CELLS)
        if not tanh_constant >= 0:
            raise invalid("tanh_constant", "a number >= 0", repr(tanh_constant))
        self._tokens, self._length, self._units = vocabulary_size, max_length, units
        self._cell, self._tanh, self._logits = CELLS[cell], tanh_constant, logits
        wide = self._cell.branches * units
        self._shapes: dict[str, tuple[int, ...]] = {
            "token": (vocabulary_size + 1, EMBEDDING),
            "place": (max_length, EMBEDDING),
            "kernel": (EMBEDDING, wide),
            "recurrent": (units, wide),
            "bias": (wide,),
            "head": (max_length, units, vocabulary_size),
            "head_bias": (max_length, vocabulary_size),
        }
        self.parameters = np.zeros(sum(int(np.prod(shape)) for shape in self._shapes.values()))
        self._weights = self._views(self.parameters)
        self.initialise(seed)

    def initialise(self, seed: int) -> None:
        """Initial weights: uniform, biases 0, the LSTM's forget bias 1; the head's biases give the initial logits."""
        rng = stream(seed, "policy", "weights")
        for name, weight in self._weights.items():
            weight[...] = 0.0 if "bias" in name else rng.uniform(-SPREAD, SPREAD, weight.shape)
            if name.startswith("bias") and self._cell.forget is not None:
                weight[self._cell.forget * self._units : (self._cell.forget + 1) * self._units] = 1.0
        if self._logits is not None:
            wanted = self._logits - self._logits.mean()
            if self._tanh:
                # What the tanh makes the wanted logits of, as far as it reaches.
                wanted = np.arctanh(np.clip(wanted / self._tanh, -0.95, 0.95))
            self._weights["head_bias"][...] = wanted

    def sample(
        self,
        rng: np.random.Generator,
        legal_actions: LegalActions,
        count: int = 1,
        uniform: Sequence[bool] | None = None,
    ) -> list[Drawn]:
        """Draws sequences from the policy, token by token.

        Args:
            rng: Randomness.
            legal_actions: As `alphaxenas.contracts.SearchSpace.legal_actions`.
            count: How many sequences.
            uniform: Those that are drawn by uniform choices among the legal tokens instead, `[count]`.
        """
        explored = np.zeros(count, bool) if uniform is None else np.asarray(uniform, bool)
        sequences: list[Tokens] = [()] * count
        log_policy, log_uniform = np.zeros(count), np.zeros(count)
        memory, last = np.zeros((2, count, self._units)), np.full(count, self._tokens)
        for step in range(self._length):
            legal = self._legal(sequences, legal_actions)
            if not legal.any():
                break
            active = legal.any(axis=1)
            probabilities, _ = self._probabilities(self._step(step, last, memory)[0], legal)
            flat = legal / np.maximum(legal.sum(axis=1, keepdims=True), 1)
            running = np.cumsum(np.where(explored[:, None], flat, probabilities), axis=1)
            # An illegal token adds nothing to the running sum, so it is never the first above the mark.
            chosen = np.argmax(running > rng.random((count, 1)) * running[:, -1:], axis=1)
            rows = np.flatnonzero(active)
            log_policy[rows] += np.log(probabilities[rows, chosen[rows]])
            log_uniform[rows] += np.log(flat[rows, chosen[rows]])
            for row in rows:
                sequences[row] = (*sequences[row], int(chosen[row]))
            last = np.where(active, chosen, self._tokens)
        return [Drawn(*drawn) for drawn in zip(sequences, log_policy.tolist(), log_uniform.tolist())]

    def log_probability(self, sequences: Sequence[Tokens], legal_actions: LegalActions) -> np.ndarray:
        """Log-probabilities of complete sequences, equal to those at sampling as long as the weights are the same.

        Args:
            sequences: `n` complete sequences.
            legal_actions: As for `sample`.

        Returns:
            `[n]`.
        """
        return self.evaluate(sequences, legal_actions).log_probabilities

    def evaluate(self, sequences: Sequence[Tokens], legal_actions: LegalActions) -> Evaluation:
        """Log-probabilities and entropies of complete sequences.

        Args:
            sequences: `n` complete sequences.
            legal_actions: As for `sample`.

        Raises:
            ValueError: A sequence has a token that is not legal in its place.
        """
        return self._run(sequences, legal_actions)[0]

    def gradient(
        self,
        sequences: Sequence[Tokens],
        legal_actions: LegalActions,
        weights: Callable[[np.ndarray], np.ndarray] | np.ndarray,
        entropy_weight: float = 0.0,
    ) -> tuple[np.ndarray, Evaluation]:
        """Gradient of the loss -sum_i w_i log p(sequence_i) - entropy_weight mean_i entropy_i.

        Args:
            sequences: `n` complete sequences.
            legal_actions: As for `sample`.
            weights: w, `[n]`, or what gives w for the log-probabilities under the present policy.
            entropy_weight: Reward for undecided policies. The entropy is that of every step along the sequences given.

        Returns:
            The gradient with respect to `parameters`, a vector of its length; the sequences under the present policy.
        """
        evaluation, steps = self._run(sequences, legal_actions)
        w = weights(evaluation.log_probabilities) if callable(weights) else np.asarray(weights, float)
        count, gradient = len(sequences), np.zeros_like(self.parameters)
        views, weight = self._views(gradient), self._weights
        d_output, d_memory = np.zeros((count, self._units)), np.zeros((count, self._units))
        for step in reversed(range(len(steps))):
            last, chosen, active, probabilities, entropy, scaled, output, (below, before, trace) = steps[step]
            surprise = np.where(probabilities > 0, np.log(np.where(probabilities > 0, probabilities, 1.0)), 0.0)
            d_logits = w[:, None] * probabilities
            d_logits += entropy_weight / count * probabilities * (surprise + entropy[:, None])
            d_logits[np.arange(count), chosen] -= w
            d_logits *= active[:, None]
            if self._tanh:
                d_logits *= self._tanh * (1 - (scaled / self._tanh) ** 2)
            views["head"][step] += output.T @ d_logits
            views["head_bias"][step] += d_logits.sum(axis=0)
            d_output = d_output + d_logits @ weight["head"][step].T
            d_x, d_m, d_memory = self._cell.backward(trace, d_output, d_memory)
            views["kernel"] += below.T @ d_x
            views["recurrent"] += before.T @ d_m
            views["bias"] += d_m.sum(axis=0)
            d_output = d_m @ weight["recurrent"].T
            d_below = d_x @ weight["kernel"].T
            np.add.at(views["token"], last, d_below)
            views["place"][step] += d_below.sum(axis=0)
        return gradient, evaluation

    def _run(self, sequences: Sequence[Tokens], legal_actions: LegalActions) -> tuple[Evaluation, list]:
        """All steps of sequences, with what the gradient needs of each."""
        count, longest = len(sequences), max(map(len, sequences))
        log_probabilities, entropies, steps = np.zeros(count), np.zeros(count), []
        memory, last, rows = np.zeros((2, count, self._units)), np.full(count, self._tokens), np.arange(count)
        for step in range(longest):
            active = np.array([len(sequence) > step for sequence in sequences])
            legal = self._legal([sequence[:step] for sequence in sequences], legal_actions)
            chosen = np.array([sequence[step] if len(sequence) > step else 0 for sequence in sequences])
            if not legal[rows, chosen][active].all():
                wrong = int(np.flatnonzero(active & ~legal[rows, chosen])[0])
                raise invalid("sequences", f"a legal token at place {step}", sequences[wrong])
            legal[~active, 0] = True  # padding: finished sequences keep a dummy legal token
            scaled, output, trace = self._step(step, last, memory)
            probabilities, logs = self._probabilities(scaled, legal)
            entropy = -np.sum(probabilities * logs, axis=1)
            log_probabilities += np.where(active, logs[rows, chosen], 0.0)
            entropies += np.where(active, entropy, 0.0)
            steps.append((last, chosen, active, probabilities, entropy, scaled, output, trace))
            last = np.where(active, chosen, self._tokens)
        return Evaluation(log_probabilities, entropies), steps

    def _step(self, step: int, last: np.ndarray, memory: np.ndarray) -> tuple[np.ndarray, np.ndarray, tuple]:
        """Logits `[n, V]`, output, and what the gradient needs; `memory`, `[2, n, U]`, moves on."""
        weight = self._weights
        below, (before, inner) = weight["token"][last] + weight["place"][step], memory.copy()
        x, m = below @ weight["kernel"], before @ weight["recurrent"] + weight["bias"]
        output, memory[1], trace = self._cell.forward(x, m, inner)
        memory[0] = output
        logits = output @ weight["head"][step] + weight["head_bias"][step]
        return (self._tanh * np.tanh(logits) if self._tanh else logits), output, (below, before, trace)

    @staticmethod
    def _probabilities(logits: np.ndarray, legal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Probabilities of the legal tokens and their logarithms (0 where illegal), each `[n, V]`; all 0 where nothing
        is legal.
        """
        shifted = np.where(legal, logits, -np.inf)
        shifted = shifted - np.maximum(shifted.max(axis=1, keepdims=True), -1e300)
        powers = np.exp(shifted)
        total = powers.sum(axis=1, keepdims=True)
        safe = np.where(total > 0, total, 1.0)
        return powers / safe, np.where(legal, shifted - np.log(safe), 0.0)

    def _legal(self, prefixes: Sequence[Tokens], legal_actions: LegalActions) -> np.ndarray:
        """Which tokens may follow each prefix, `[n, V]`."""
        found = np.zeros((len(prefixes), self._tokens), bool)
        for row, prefix in enumerate(prefixes):
            found[row, list(legal_actions(prefix))] = True
        return found

    def _views(self, vector: np.ndarray) -> dict[str, np.ndarray]:
        """The parts of a vector of all parameters, by name."""
        views, start = {}, 0
        for name, shape in self._shapes.items():
            end = start + int(np.prod(shape))
            views[name] = vector[start:end].reshape(shape)
            start = end
        return views
