"""What searches with shared weights train and rate: one set of weights for all architectures of a space, with its data.

`EnasSearch` and `SharedPool` know the protocol alone. There are two implementations: images, over a `Supernet`, and
text, over a language model that holds a matrix for each node, input and activation of a recurrent cell.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from alphaxenas.data.pipeline import Batches
from alphaxenas.data.text import TextData, streams
from alphaxenas.networks.language.cores import CellCore, SharedCellCore
from alphaxenas.networks.language.fit import TextReader, train_shared
from alphaxenas.networks.language.model import LanguageModel, loss_of_reward, perplexity, reward_of_loss, weight_shapes
from alphaxenas.networks.language.recipe import LanguageRecipe
from alphaxenas.seeds import stream, tensor_seed
from alphaxenas.spaces.recurrent import RecurrentSpace

if TYPE_CHECKING:
    from alphaxenas.supernet.supernet import Supernet

CALIBRATION_BATCHES = 5
"""Training batches on which the statistics of an architecture are measured before ENAS rates it."""
POOL_CALIBRATION_BATCHES = 4
"""The same before the members of a pool are scored."""
Schedule = Callable[[int], tuple[float, float]]
"""From the number of a step in a pass to its learning rate and the share of the whole training that is over."""


class Rating(NamedTuple):
    """How good an architecture is with the shared weights.

    Attributes:
        reward: In [0, 1].
        error: Its standard error, from the number of images or words alone.
    """

    reward: float
    error: float


class SharedWeights(Protocol):
    """Weights that all architectures of a space share, and the data that trains and rates them.

    Attributes:
        unit: What data are counted in: `"images"` or `"words"`.
    """

    unit: str

    def state(self) -> dict[str, Any]:
        """Everything needed to go on, for a checkpoint."""

    def restore(self, state: dict[str, Any]) -> None:
        """Takes over a `state()`."""

    def parameters_of(self, architecture: Any) -> int:
        """Trainable values of one architecture by itself."""

    def rate_at(self, progress: float) -> float:
        """Learning rate of the recipe when this share of the training is over."""

    def steps(self, fraction: float = 1.0) -> int:
        """Training steps of a pass over this share of the data."""

    def train(
        self, purpose: str, number: int, architectures: Iterable[Any], schedule: Schedule, fraction: float = 1.0
    ) -> dict[str, Any]:
        """One pass over a share of the training data, an architecture for every step.

        Args:
            purpose: Names the draws.
            number: Of the pass.
            architectures: At least as many as there are steps.
            schedule: Learning rate and progress of every step.
            fraction: Share of the data, in (0, 1].

        Returns:
            JSON values for the journal: `loss` (mean of the finite ones, or 0), how well training data were predicted,
            how many they were, `learning_rate` (of the last step) and `left_out`: steps that were not finite, which
            change nothing.
        """

    def rate(self, architectures: Sequence[Any], number: int, step: int | None = None, size: int = 0) -> list[Rating]:
        """Rates architectures on the same validation data; one whose outputs are not finite has reward 0.

        Args:
            architectures: What to rate.
            number: Of the round, for the draws.
            step: Of the policy in this round, for the draws; None: all validation data.
            size: Images or words that are drawn where there is a step.
        """

    def scores(self, architectures: Sequence[Any], number: int) -> Iterator[np.ndarray]:
        """Scores part after part of the validation data.

        Args:
            architectures: n of them.
            number: Of the round, for the draws.

        Returns:
            Arrays `[n, units]`: of every image 1 if it is classified correctly, otherwise 0; of every word the reward
            of its loss. Their means are rewards.
        """

    def describe(self, reward: float) -> str:
        """A reward in words, for headlines."""


class ImageWeights:
    """The networks of an image space; see `SharedWeights`.

    Args:
        supernet: The weights.
        training: Batches of training images.
        validation: Batches of validation images.
        seed: Of the draws.
    """

    unit = "images"

    def __init__(self, supernet: Supernet, training: Batches, validation: Batches, seed: int) -> None:
        self.supernet, self._training, self._validation, self._seed = supernet, training, validation, seed
        self._calibration = functools.lru_cache(1)(self._draw_calibration)
        self.state, self.restore = supernet.state, supernet.restore
        self.parameters_of, self.steps = supernet.parameters_of, training.steps

    def rate_at(self, progress: float) -> float:
        """See `SharedWeights`."""
        return self.supernet.recipe.rate_at(progress)

    def train(
        self, purpose: str, number: int, architectures: Iterable[Any], schedule: Schedule, fraction: float = 1.0
    ) -> dict[str, Any]:
        """See `SharedWeights`; `train_accuracy` is that of the training batches."""
        losses, correct, images, rate = list[float](), 0, 0, 0.0
        batches = self._training.epoch(self._seed, number, fraction, (purpose,))
        for step, ((x, y), architecture) in enumerate(zip(batches, architectures)):
            (rate, progress), draws = schedule(step), tensor_seed(self._seed, purpose, number, step)
            loss, hits = self.supernet.train_step(architecture, x, y, rate, progress, draws)
            losses.append(loss)
            correct, images = correct + hits, images + len(y)
        return {**_mean_loss(losses), "train_accuracy": correct / images, "images": images, **_end(losses, rate)}

    def rate(self, architectures: Sequence[Any], number: int, step: int | None = None, size: int = 0) -> list[Rating]:
        """See `SharedWeights`; the reward is the accuracy."""
        calibration = self._calibration(("enas", "calibration"), number, CALIBRATION_BATCHES)
        images = self._validation.in_order()
        if step is not None:
            share = min(1.0, size / len(self._validation))
            images = self._validation.epoch(self._seed, step, share, ("enas", "reward", number))
        batches = list(images)
        rewards = [self.supernet.accuracy(one, calibration, batches) for one in architectures]
        return [Rating(reward, standard_error(reward, batches)) for reward in rewards]

    def scores(self, architectures: Sequence[Any], number: int) -> Iterator[np.ndarray]:
        """See `SharedWeights`."""
        calibration = self._calibration(("calibration",), number, POOL_CALIBRATION_BATCHES)
        statistics = [self.supernet.measure(architecture, calibration) for architecture in architectures]
        for images, labels in self._validation.in_order():
            found = zip(architectures, statistics)
            yield np.stack([self._hits(architecture, images, labels, own) for architecture, own in found])

    def describe(self, reward: float) -> str:
        """See `SharedWeights`."""
        return f"validation accuracy {reward:.4f}"

    def _hits(self, architecture: Any, images: Any, labels: Any, statistics: np.ndarray) -> np.ndarray:
        logits = self.supernet.predict(architecture, images, statistics)
        return (logits.argmax(1) == np.asarray(labels)) & np.isfinite(logits).all(1)

    def _draw_calibration(self, names: tuple[str, ...], number: int, count: int) -> list:
        """A few batches of training images as they are, because validation images are not augmented either."""
        drawn = self._training.epoch(self._seed, number, rng_stream=names, augment=False)
        return list(itertools.islice(drawn, count))


class TextWeights:
    """All recurrent cells of a space as one language model; see `SharedWeights`.

    A pass over a share of the text goes on where the one before ended, with a hidden state of zeros. A window whose
    loss is not finite is left out, and the state after it is zero.

    Args:
        space: Of the cells.
        data: Training and validation part; the test part is never read.
        recipe: How the weights are trained.
        units: Numbers in a state.
        seed: Of initial weights, dropout and draws.
    """

    unit = "words"

    def __init__(self, space: RecurrentSpace, data: TextData, recipe: LanguageRecipe, units: int, seed: int) -> None:
        self._core, self._data, self._seed, self._position = SharedCellCore(space.nodes, units), data, seed, 0
        self.model = LanguageModel(self._core, len(data.vocabulary), recipe, seed)
        self._reader = TextReader(streams(data.train, recipe.batch_size), recipe.window)
        self.rate_at = recipe.rate_at

    def state(self) -> dict[str, Any]:
        """See `SharedWeights`."""
        return {"model": self.model.state(), "position": self._position}

    def restore(self, state: dict[str, Any]) -> None:
        """See `SharedWeights`."""
        self.model.restore(state["model"])
        self._position = int(state["position"])

    def parameters_of(self, architecture: Any) -> int:
        """See `SharedWeights`."""
        core = CellCore(architecture, self._core.units)
        return sum(map(math.prod, weight_shapes(core, len(self._data.vocabulary)).values()))

    def steps(self, fraction: float = 1.0) -> int:
        """Windows of a share of the text, at least one."""
        return max(1, round(fraction * self._reader.windows))

    def train(
        self, purpose: str, number: int, architectures: Iterable[Any], schedule: Schedule, fraction: float = 1.0
    ) -> dict[str, Any]:
        """See `SharedWeights`; what is drawn for dropout depends on the number of windows so far alone."""
        begin, steps = self._position, self.steps(fraction)
        cells = map(self._core.describe, itertools.islice(architectures, steps))
        losses = train_shared(self.model, self._reader, begin, cells, lambda window: schedule(window - begin)[0])
        self._position += steps
        words = int(sum(self._reader.at(window)[2].sum() for window in range(begin, self._position)))
        mean = _mean_loss(losses)
        reached = {"train_perplexity": perplexity(mean["loss"]), "words": words}
        return {**mean, **reached, **_end(losses, schedule(steps - 1)[0])}

    def rate(self, architectures: Sequence[Any], number: int, step: int | None = None, size: int = 0) -> list[Rating]:
        """See `SharedWeights`: the words of a step are one stretch, which may lie anywhere in the validation text."""
        words = self._data.validation
        if step is not None and size < len(words):
            begin = stream(self._seed, "enas", "reward", number, step).integers(len(words) - size + 1)
            words = words[begin : begin + size]
        return [self._rating(architecture, words) for architecture in architectures]

    def scores(self, architectures: Sequence[Any], number: int) -> Iterator[np.ndarray]:
        """See `SharedWeights`; nothing is drawn."""
        cells = map(self._core.describe, architectures)
        for losses in zip(*(self.model.window_losses(self._data.validation, cell) for cell in cells)):
            rewards = 1.0 - np.stack(losses) / math.log(len(self._data.vocabulary))
            yield np.where(np.isfinite(rewards), rewards, 0.0)

    def describe(self, reward: float) -> str:
        """See `SharedWeights`."""
        return f"validation perplexity {perplexity(loss_of_reward(reward, len(self._data.vocabulary))):.2f}"

    def _rating(self, architecture: Any, words: np.ndarray) -> Rating:
        parts = self.model.window_losses(words, self._core.describe(architecture))
        losses, size = np.concatenate(list(parts)).astype(np.float64), len(self._data.vocabulary)
        if not np.isfinite(losses).all():
            return Rating(0.0, 0.0)
        error = losses.std() / math.sqrt(len(losses)) / math.log(size)
        return Rating(reward_of_loss(float(losses.mean()), size), float(error))


def standard_error(accuracy: float, batches: Iterable) -> float:
    """Standard error of an accuracy: sqrt(p (1 - p) / n).

    Args:
        accuracy: The measured share p, in [0, 1].
        batches: `(images, labels)` pairs of the n >= 1 images that it was measured on.

    Returns:
        A number in [0, 0.5].

    Source: the standard deviation of a binomial proportion.
    """
    return math.sqrt(accuracy * (1.0 - accuracy) / sum(len(labels) for _, labels in batches))


def _mean_loss(losses: Sequence[float]) -> dict[str, float]:
    finite = [loss for loss in losses if math.isfinite(loss)]
    return {"loss": float(np.mean(finite)) if finite else 0.0}


def _end(losses: Sequence[float], rate: float) -> dict[str, Any]:
    return {"learning_rate": float(rate), "left_out": sum(not math.isfinite(loss) for loss in losses)}
