"""The policy and value network: an LSTM over token prefixes, told the budget that its value is about.

At every position the LSTM reads one token (one-hot; a start token first) and three numbers that are the same along a
sequence but vary between examples: log(1 + epochs), data fraction, and the age of the shared weights. After reading a
prefix it gives a distribution over the next token and the expected reward of architectures that begin so, standardised
per budget (`replay.py` says why). One pass over an architecture therefore trains on all its prefixes.

    loss = CE(visit distribution, policy) + (value - standardised reward)^2 + weight decay

Source: AlphaGo Zero (Silver et al. 2017, eq. 1) for the loss, the original AlphaXENAS for the inputs. Departures from
the original: cross-entropy instead of the reversed KL divergence, a linear value on standardised rewards instead of a
sigmoid on accuracies, decoupled weight decay, and the value is a sum of contributions, one per token read: most of an
architecture's merit is the sum of its parts, and a few dozen evaluated architectures teach a sum where they do not yet
teach a function of the last LSTM state.

Training is one `tf.function` with one shape. Inference is NumPy: the search asks for one prefix at a time, and one LSTM
step costs less than a call into TensorFlow. Notation: U units, V tokens, L longest sequence, n prefixes, b
architectures of a mini-batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from alphaxenas.contracts import Tokens
from alphaxenas.controllers.alphaxenas.replay import Examples
from alphaxenas.networks.devices import load_tensorflow
from alphaxenas.networks.training.optimizers import adam_update
from alphaxenas.seeds import stream

tf = load_tensorflow()
CONTEXT, EPSILON = 3, 1e-8
"""Numbers that every example has besides its tokens; Adam's epsilon."""


class Memory(NamedTuple):
    """What the LSTM remembers of a prefix: output and cell, each `[U]`, and the value so far; of `n` prefixes, with `n`
    first.
    """

    output: np.ndarray
    cell: np.ndarray
    total: np.ndarray


class PolicyValueLSTM:
    """Priors and values of prefixes, learned from evaluated architectures.

    Args:
        vocabulary_size: V.
        max_length: L.
        units: U.
        learning_rate: Of Adam.
        batch_size: Architectures per mini-batch.
        steps: Mini-batches per fit.
        weight_decay: Share of every weight matrix lost per step, times the learning rate.
        seed: Of initial weights and batches.
    """

    def __init__(
        self,
        vocabulary_size: int,
        max_length: int,
        units: int = 100,
        learning_rate: float = 0.003,
        batch_size: int = 32,
        steps: int = 40,
        weight_decay: float = 0.3,
        seed: int = 0,
    ) -> None:
        for name, value in (("units", units), ("batch_size", batch_size), ("steps", steps)):
            if value < 1:
                raise ValueError(f"Invalid value for `lstm_{name}`. Expected a whole number >= 1. Received: {value}")
        if not learning_rate > 0:
            raise ValueError(
                f"Invalid value for `lstm_learning_rate`. Expected a number > 0. Received: {learning_rate}"
            )
        self.vocabulary_size, self.max_length, self.units = vocabulary_size, max_length, units
        self.learning_rate, self.batch_size, self.steps = learning_rate, batch_size, steps
        self.weight_decay, self.seed = weight_decay, seed
        self.fits = 0
        self.losses: dict[str, float] = {}
        inputs = vocabulary_size + 1 + CONTEXT
        shapes = {
            "kernel": (inputs + units, 4 * units),
            "bias": (4 * units,),
            "head": (units, vocabulary_size + 1),
            "head_bias": (vocabulary_size + 1,),
        }
        rng = stream(seed, "lstm", "weights")
        initial = []
        for name, shape in shapes.items():
            limit = np.sqrt(6.0 / sum(shape)) if len(shape) == 2 else 0.0
            drawn = rng.uniform(-limit, limit, shape).astype(np.float32) if limit else np.zeros(shape, np.float32)
            if name == "kernel":
                drawn[inputs:] *= 0.1  # begin with sums of single tokens, learn interactions later
                drawn[vocabulary_size + 1 : inputs] *= 0.3
            if name == "bias":
                drawn[units : 2 * units] = 1.0  # forget little at first
            if name == "head":
                drawn *= 0.1
            initial.append(drawn)
        # On a GPU this network is too small to be worth the trip, and the CPU's sums repeat exactly.
        with tf.device("/CPU:0"):
            self._weights = [tf.Variable(value) for value in initial]
            self._slots = [tf.Variable(tf.zeros_like(value)) for value in initial for _ in range(2)]
            self._steps_taken = tf.Variable(0, dtype=tf.int64)
        # Short prefixes say little about a reward: a prefix weighs (its length / L)^4 in the value loss.
        self._ramp = (np.linspace(0, 1, max_length + 1)[:, None] ** 4).astype(np.float32)
        self._train = self._training_steps()
        self._refresh()

    # --- inference ---------------------------------------------------------------------------------------------------

    def _refresh(self) -> None:
        """Copies the weights to NumPy for inference."""
        kernel, self._bias, head, head_bias = (weight.numpy().copy() for weight in self._weights)
        self._token_rows = kernel[: self.vocabulary_size + 1]  # [V+1, 4U]
        self._context_rows = kernel[self.vocabulary_size + 1 : -self.units]  # [3, 4U]
        self._recurrent = kernel[-self.units :]  # [U, 4U]
        self._policy_rows = np.ascontiguousarray(head[:, :-1])
        self._value_rows = np.ascontiguousarray(head[:, -1])
        self._policy_bias, self._value_bias = head_bias[:-1], head_bias[-1]

    def begin(self, context: Sequence[float]) -> tuple[Memory, np.ndarray]:
        """The memory of the empty prefix, and the contribution of the context to every later step, `[4U]`.

        Args:
            context: The three numbers of `Replay.context`.
        """
        drive = np.asarray(context, np.float32) @ self._context_rows + self._bias
        zeros = np.zeros(self.units, np.float32)
        nothing = Memory(zeros, zeros, self._value_bias)
        first = self.extend(nothing, (self.vocabulary_size,), drive)
        return Memory(first.output[0], first.cell[0], first.total[0]), drive

    def extend(self, memory: Memory, tokens: Tokens, drive: np.ndarray) -> Memory:
        """Memories of `n` continuations of one prefix by one token each, `[n, U]`.

        Always called for all legal tokens of a prefix at once, so that a memory has the same bits whether it is
        remembered or computed again.

        Args:
            memory: Of the prefix.
            tokens: The `n` tokens.
            drive: From `begin`.
        """
        gates = self._token_rows[list(tokens)] + (memory.output @ self._recurrent + drive)
        return self._cell(gates, memory)

    def _cell(self, gates: np.ndarray, memory: Memory) -> Memory:
        """One LSTM step from its gates `[..., 4U]` (input, forget, candidate, output) and the cell before."""
        units = self.units
        sigmoids = 0.5 + 0.5 * np.tanh(0.5 * gates)  # without overflow
        cell = sigmoids[..., units : 2 * units] * memory.cell + sigmoids[..., :units] * np.tanh(
            gates[..., 2 * units : 3 * units]
        )
        output = sigmoids[..., 3 * units :] * np.tanh(cell)
        return Memory(output, cell, memory.total + (output * self._value_rows).sum(-1))

    def values(self, memory: Memory) -> np.ndarray:
        """Expected standardised rewards `[n]` of `n` memories."""
        return memory.total

    def policy(self, memory: Memory, actions: Tokens) -> np.ndarray:
        """Probabilities `[n]` of the `n` legal actions after one prefix; masked softmax.

        Args:
            memory: Of the prefix.
            actions: Its legal actions.
        """
        logits = (memory.output @ self._policy_rows + self._policy_bias)[list(actions)]
        exponentials = np.exp((logits - logits.max()).astype(np.float64))
        return exponentials / exponentials.sum()

    def predict(self, prefixes: Sequence[Tokens], contexts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Unmasked policy logits `[n, V]` and standardised values `[n]` of many prefixes in one pass.

        Args:
            prefixes: `n` prefixes, complete sequences among them if you like.
            contexts: `[n, 3]`, see `Replay.context`.
        """
        count = len(prefixes)
        drive = np.asarray(contexts, np.float32) @ self._context_rows + self._bias  # [n, 4U]
        zeros = np.zeros((count, self.units), np.float32)
        memory = Memory(zeros, zeros, np.full(count, self._value_bias))
        lengths = np.array([len(prefix) for prefix in prefixes])
        longest = int(lengths.max(initial=0))
        for position in range(longest + 1):
            tokens = [
                self.vocabulary_size if position == 0 else (*prefix, *(0,) * longest)[position - 1]
                for prefix in prefixes
            ]
            step = self._cell(self._token_rows[tokens] + drive + memory.output @ self._recurrent, memory)
            reading = position <= lengths
            memory = Memory(
                *(np.where(reading if new.ndim == 1 else reading[:, None], new, old) for new, old in zip(step, memory))
            )
        return memory.output @ self._policy_rows + self._policy_bias, memory.total

    # --- training ----------------------------------------------------------------------------------------------------

    def fit(self, examples: Examples) -> dict[str, float]:
        """Trains on `steps` mini-batches of architectures; every prefix of each is an example.

        Args:
            examples: At least one record.

        Returns:
            `policy_loss` (cross-entropy in nats; left out while no record has a policy), `value_loss`, means over the
            second half of the mini-batches.
        """
        rng = stream(self.seed, "lstm", "batches", self.fits)
        count = len(examples.lengths)
        drawn = [rng.choice(count, self.batch_size, replace=self.batch_size > count) for _ in range(self.steps)]
        losses = self._train(*map(np.stack, zip(*(self._batch(examples, rows) for rows in drawn)))).numpy()
        policy, value, moves = losses[len(losses) // 2 :].mean(axis=0, dtype=np.float64)
        self.fits += 1
        self._refresh()
        self.losses = {"value_loss": float(value)} | ({"policy_loss": float(policy)} if moves > 0 else {})
        return self.losses

    def _batch(self, examples: Examples, rows: np.ndarray) -> tuple[np.ndarray, ...]:
        """Inputs of every position of the architectures `rows` `[b]`, time first: tokens, context, targets."""
        tokens = examples.tokens[rows]  # [b, L]
        start = np.full((len(rows), 1), self.vocabulary_size, np.int32)
        inputs = np.concatenate([start, np.maximum(tokens, 0)], axis=1).T
        values = examples.values[rows]
        # Where the moves alone are known, no position counts in the value loss.
        lengths = np.where(np.isnan(values), -1, examples.lengths[rows])
        inside = (np.arange(self.max_length + 1)[:, None] <= lengths).astype(np.float32)
        policies = examples.policies[rows].transpose(1, 0, 2)
        return inputs, examples.context[rows], np.nan_to_num(values), inside, policies

    def _training_steps(self) -> Any:
        """All mini-batches of a fit in one call: a small network's step costs no more than a call into TensorFlow."""
        steps, batch, length, size = self.steps, self.batch_size, self.max_length, self.vocabulary_size
        signature = [
            tf.TensorSpec([steps, length + 1, batch], tf.int32),
            tf.TensorSpec([steps, batch, CONTEXT], tf.float32),
            tf.TensorSpec([steps, batch], tf.float32),
            tf.TensorSpec([steps, length + 1, batch], tf.float32),
            tf.TensorSpec([steps, length, batch, size], tf.float32),
        ]

        def step(number, losses, arrays):
            inputs, context, values, inside, policies = (tf.gather(array, number) for array in arrays)
            with tf.GradientTape() as tape:
                policy_loss, value_loss = self._losses(inputs, context, values, inside, policies)
                loss = policy_loss + value_loss
            self._adam(tape.gradient(loss, self._weights))
            return number + 1, losses.write(number, tf.stack([policy_loss, value_loss, tf.reduce_sum(policies)]))

        @tf.function(input_signature=signature, autograph=False)
        def train(*arrays):
            with tf.device("/CPU:0"):
                start = tf.constant(0), tf.TensorArray(tf.float32, steps)
                _, losses = tf.while_loop(
                    lambda number, losses: number < steps,
                    lambda number, losses: step(number, losses, arrays),
                    start,
                    parallel_iterations=1,
                )
                return losses.stack()

        return train

    def _losses(self, tokens, context, values, inside, policies) -> tuple[Any, Any]:
        """Policy and value loss; tokens `[L+1, b]`, policies `[L, b, V]`."""
        kernel, bias, head, head_bias = self._weights
        batch, units = self.batch_size, self.units
        seen = tf.one_hot(tokens, self.vocabulary_size + 1)
        along = tf.broadcast_to(context, [self.max_length + 1, batch, CONTEXT])
        zeros, none = tf.zeros([batch, units]), tf.zeros([units])
        outputs = tf.raw_ops.BlockLSTMV2(
            seq_len_max=tf.constant(self.max_length + 1, tf.int64),
            x=tf.concat([seen, along], axis=2),
            cs_prev=zeros,
            h_prev=zeros,
            w=kernel,
            wci=none,
            wcf=none,
            wco=none,
            b=bias,
            cell_clip=0.0,
            use_peephole=False,
        ).h
        heads = tf.reshape(tf.reshape(outputs, [-1, units]) @ head + head_bias, [self.max_length + 1, batch, -1])
        # The bias is added at every position: take it out of all but one.
        sums = tf.cumsum(heads[:, :, -1] - head_bias[-1], axis=0) + head_bias[-1]
        errors = tf.square(sums - values)
        inside *= self._ramp
        value_loss = tf.reduce_sum(errors * inside) / tf.maximum(tf.reduce_sum(inside), 1e-9)
        # Legal actions have a positive target, see `Examples`; illegal ones are masked, as in `policy`.
        legal = policies > 0
        logits = tf.where(legal, heads[:-1, :, :-1], -1e9)
        known = tf.reduce_sum(policies, axis=2)
        entropy = -tf.reduce_sum(tf.where(legal, policies * tf.nn.log_softmax(logits), 0.0), axis=2)
        return tf.reduce_sum(entropy) / tf.maximum(tf.reduce_sum(known), 1.0), value_loss

    def _adam(self, gradients: Sequence[Any]) -> None:
        """Adam with decoupled weight decay on matrices."""
        steps = self._steps_taken.assign_add(1)
        for index, (weight, gradient) in enumerate(zip(self._weights, gradients)):
            first, second = self._slots[2 * index : 2 * index + 2]
            decay = self.weight_decay if weight.shape.rank == 2 else 0.0
            difference, *moments = adam_update(
                weight, first, second, gradient, self.learning_rate, steps, EPSILON, decay
            )
            first.assign(moments[0])
            second.assign(moments[1])
            weight.assign_sub(difference)

    # --- state -------------------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Weights, optimiser slots, counters and the seed of later batches."""
        arrays = {f"weight{i}": v.numpy() for i, v in enumerate(self._weights)}
        arrays |= {f"slot{i}": v.numpy() for i, v in enumerate(self._slots)}
        return arrays | {
            "steps_taken": int(self._steps_taken.numpy()),
            "seed": self.seed,
            "fits": self.fits,
            "losses": dict(self.losses),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over a `state()`."""
        for index, weight in enumerate(self._weights):
            weight.assign(state[f"weight{index}"])
        for index, slot in enumerate(self._slots):
            slot.assign(state[f"slot{index}"])
        self._steps_taken.assign(int(state["steps_taken"]))
        self.seed = int(state["seed"])
        self.fits, self.losses = int(state["fits"]), {name: float(v) for name, v in state["losses"].items()}
        self._refresh()
