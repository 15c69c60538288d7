"""The values that travel between the rooms, and the four contracts that let any controller search any space.

An architecture is a sequence of tokens, and searching is choosing the next token. A search space says which
tokens are legal, a controller proposes complete sequences, an evaluator scores them, and the coach keeps the records.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

Tokens = tuple[int, ...]


@dataclass(frozen=True, order=True)
class Budget:
    """How much training one evaluation buys; rewards are only comparable at equal budgets.

    Attributes:
        epochs: Passes over the drawn training images; 0 scores the architecture with the weights as they are.
        fraction: Share of the training images drawn for those passes, in (0, 1].
    """

    epochs: int
    fraction: float = 1.0

    def __post_init__(self) -> None:
        if self.epochs < 0:
            raise ValueError(f"Invalid value for `epochs`. Expected a whole number >= 0. Received: {self.epochs}")
        if not 0.0 < self.fraction <= 1.0:
            raise ValueError(f"Invalid value for `fraction`. Expected a number in (0, 1]. Received: {self.fraction}")


@dataclass(frozen=True)
class Proposal:
    """One architecture that a controller wants evaluated.

    Attributes:
        number: Counts the proposals of one controller from 0; outcomes are matched by it.
        tokens: A complete token sequence of the search space.
        budget: What the evaluation may cost.
        purpose: `"search"` (an architecture evaluated at the search budget),
            `"final"` (an architecture promoted to the final budget),
            `"refresh"` (score again, without training, because the shared weights have moved) or
            `"imported"` (another search's, evaluated by it at the search budget).
        updates_shared_weights: Whether shared weights keep what the child learns.
    """

    number: int
    tokens: Tokens
    budget: Budget
    purpose: str = "search"
    updates_shared_weights: bool = True

    def to_json(self) -> list[Any]:
        """All fields as JSON values, in order."""
        budget = self.budget.epochs, self.budget.fraction
        return [self.number, [int(token) for token in self.tokens], *budget, self.purpose, self.updates_shared_weights]

    @classmethod
    def from_json(cls, values: Sequence[Any]) -> Proposal:
        """The proposal of a `to_json()`."""
        number, tokens, epochs, fraction, purpose, updates = values
        budget = Budget(int(epochs), float(fraction))
        return cls(int(number), tuple(map(int, tokens)), budget, purpose, bool(updates))


@dataclass(frozen=True)
class Outcome:
    """The result of evaluating a proposal.

    Attributes:
        proposal: The proposal that was evaluated.
        reward: Validation accuracy in [0, 1]; 0 for a failed evaluation.
        status: `"ok"`, `"failed"` (see `reason`), `"refused"` (it breaks a limit and was not trained, see `reason`) or
            `"missing"` (a table without this architecture).
        metrics: Further numbers, such as `loss`, `parameters`, `flops`, `images_per_epoch`.
        seconds: Wall time of the evaluation. Never used to decide anything, so that continued runs repeat exactly.
        reason: Why the evaluation failed; empty otherwise. What failed is evaluated once more, unless the reason begins
            with `DivergedError`.
    """

    proposal: Proposal
    reward: float
    status: str = "ok"
    metrics: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    reason: str = ""

    def to_json(self) -> list[Any]:
        """All fields but the proposal as JSON values, in order."""
        metrics = {name: float(value) for name, value in self.metrics.items()}
        return [float(self.reward), self.status, metrics, float(self.seconds), self.reason]

    @classmethod
    def from_json(cls, proposal: Proposal, values: Sequence[Any]) -> Outcome:
        """The outcome of a `to_json()`.

        Args:
            proposal: What was evaluated.
            values: The fields.
        """
        return cls(proposal, *values)


class SearchSpace(Protocol):
    """Which architectures there are. Immutable and hashable; knows nothing of TensorFlow.

    A space whose architectures `alphaxenas.spaces.drawing.registry` does not know may have a method
    `draw(architecture, axes)`, which draws an architecture on matplotlib axes.
    """

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """Readable name of every token; tokens are indices into it."""

    @property
    def max_length(self) -> int:
        """Length of the longest token sequence."""

    def legal_actions(self, tokens: Tokens) -> Tokens:
        """Tokens that may follow the prefix `tokens`, ascending; empty when the sequence is complete."""

    def decode(self, tokens: Tokens) -> Any:
        """The architecture of a complete token sequence (a frozen dataclass with `to_json()`)."""

    def encode(self, architecture: Any) -> Tokens:
        """The tokens of an architecture; `decode(encode(a)) == a`."""

    def key(self, architecture: Any) -> str:
        """A text equal for architectures that compute the same function."""

    def size(self) -> int:
        """Exact number of complete token sequences."""

    def sample(self, rng: np.random.Generator) -> Any:
        """An architecture drawn uniformly over complete token sequences."""

    def neighbours(self, architecture: Any) -> list[Any]:
        """All architectures that differ in one choice, each once, without `architecture` itself."""

    def features(self, architecture: Any) -> np.ndarray:
        """A fixed-length float32 vector for surrogate models, equal for equal keys.

        A space may also have `feature_groups() -> {name: (slice, kind)}`, which says what belongs together; kinds are
        `"sequences"` and `"counts"` (numbers of occurrences), `"one-hot"` and `"numbers"`. With `feature_names()`, one
        word or more for every entry, searches begin with what size and depth speak for: entries that are called
        `log parameters` and `longest path by convolution`.
        """

    def parse(self, text: str) -> Any:
        """An architecture from its JSON or one-line text form; ValueError says what is wrong and what is allowed."""


class Controller(Protocol):
    """Proposes what to evaluate next. Several proposals may be outstanding and outcomes may come in any order.

    Same seed and same outcomes in the same order give the same proposals.

    A controller with a search tree may have one more method, `tree_snapshot() -> dict[str, np.ndarray] | None`, for
    pictures: arrays with a row for every prefix that a simulation walked to, parents first, the empty prefix in row 0:
    `parent` (row; -1), `action` (the last token; -1), `visits` (values backed up), `tried` (simulations), `total` (sum
    of the values). All controllers of this package have it; None without a tree.

    A controller that models rewards may have `quality(sequences) -> np.ndarray | None`: its expected quality `[m]` of
    complete sequences, or None where it knows too little; asking changes nothing. Of the architectures at the highest
    budget the one of the highest quality is chosen at the end, because the highest single reward is the luckiest one.
    Where there is no such method the highest reward decides.

    A controller that can use trials of another search has `learn(outcome)`, called before its first `ask`; it proposes
    no such architecture.
    """

    def ask(self) -> Proposal | None:
        """The next proposal; None when the space is exhausted or an outstanding outcome must arrive first."""

    def tell(self, outcome: Outcome) -> None:
        """Learns from an outcome."""

    def diagnostics(self) -> dict[str, float]:
        """Numbers worth a curve: losses, tree size, rank correlation. Keys are TensorBoard tags."""

    def status_line(self) -> str:
        """One-line progress summary for the log."""

    def state(self) -> dict[str, Any]:
        """Everything needed to go on: nested dict (string keys) of NumPy arrays and JSON values."""

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over a `state()`; the next proposals equal those of the controller that wrote it."""


class Evaluator(Protocol):
    """Scores architectures by validation accuracy; never sees test data.

    An evaluator whose children share weights has one more method where it is used with workers, `shares(proposal) ->
    bool`: whether the child starts from them.
    """

    def evaluate(self, proposal: Proposal) -> Outcome:
        """Applies the proposal's budget and scores it. A failing child is an outcome, not an exception."""

    def state(self) -> dict[str, Any]:
        """As for controllers: shared weights and optimiser slots, where there are any."""

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over a `state()`."""
