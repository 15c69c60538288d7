"""How good NAO's network is, on architectures that it has not seen: the split, the fit in two parts, the measures.

The network is trained on one part of the known architectures, measured on the other, and only then trained on all. No
key is in both parts, so that what is reported is about unseen architectures; and no measurement is thrown away, because
the gradient ascent starts from a network that has seen all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from alphaxenas.contracts import Tokens
from alphaxenas.controllers.alphaxenas.replay import rank_correlation
from alphaxenas.controllers.nao.model import NAOModel
from alphaxenas.controllers.nao.settings import FEWEST, NAOSettings
from alphaxenas.suggestions import invalid


@dataclass(frozen=True)
class Quality:
    """Of a network on architectures that it was not trained on.

    Attributes:
        held_out: Number of these architectures.
        pairwise_accuracy: Share of the pairs with different targets that the scores put in the right order; NaN without
            such pairs.
        rank_correlation: Spearman's, of scores and targets; NaN for fewer than three.
        hamming: Mean number of places in which what the decoder writes differs from the sequence; a place that is
            missing differs.
        exact: Share of the sequences that the decoder writes without a fault.
    """

    held_out: int
    pairwise_accuracy: float
    rank_correlation: float
    hamming: float
    exact: float


def split(keys: Sequence[str], share: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Places of the training part and of the held-out part, each at least two; the held-out part three from eight keys
    on.

    Args:
        keys: Different ones, four at least.
        share: Of the held-out part, about.
        rng: Draws the parts.

    Raises:
        ValueError: Too few keys, or one of them twice: parts of different places would then share it.
    """
    if len(keys) < FEWEST or len(set(keys)) < len(keys):
        raise invalid("keys", "four or more different ones", f"{len(keys)}, {len(set(keys))} of them different")
    count = min(max(3 if len(keys) >= 8 else 2, round(share * len(keys))), len(keys) - 2)
    order = rng.permutation(len(keys))
    return np.sort(order[count:]), np.sort(order[:count])


def scale_targets(rewards: Sequence[float], kind: str) -> np.ndarray:
    """Rewards between 0 and 1, monotone: `"minmax"` from the worst to the best, `"ranks"` evenly spread, equal ones
    alike.

    Args:
        rewards: `[n]`.
        kind: `"minmax"` or `"ranks"`.

    Returns:
        `[n]`; 0.5 where all rewards are equal.
    """
    values = np.asarray(rewards, np.float64)
    if np.ptp(values) == 0:
        return np.full(len(values), 0.5)
    if kind == "minmax":
        return (values - values.min()) / np.ptp(values)
    ordered = np.sort(values)
    middles = (np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right") - 1) / 2
    return middles / (len(rewards) - 1)


def fit_and_measure(
    model: NAOModel,
    keys: Sequence[str],
    sequences: Sequence[Tokens],
    targets: np.ndarray,
    settings: NAOSettings,
    rng: np.random.Generator,
) -> Quality:
    """Trains a new model on a part of the sequences, measures it on the rest, and trains it on all.

    Args:
        model: Has seen none of the sequences.
        keys: Of the sequences, different ones.
        sequences: `n` >= 4 of them.
        targets: `[n]`, in [0, 1].
        settings: `epochs`, `most_steps`, `batch_size` and `held_out`.
        rng: Draws the parts.

    Returns:
        The quality on the held-out part, before the model saw it.
    """
    known, held_out = split(keys, settings.held_out, rng)
    batch, epochs = min(settings.batch_size, len(known)), settings.epochs
    if settings.most_steps:
        epochs = min(epochs, max(1, settings.most_steps * batch // len(known)))
    model.fit([sequences[place] for place in known], targets[known], epochs, settings.batch_size)
    quality = measured(model, [sequences[place] for place in held_out], targets[held_out])
    model.fit(sequences, targets, max(1, epochs // 4), settings.batch_size)
    return quality


def measured(model: NAOModel, sequences: Sequence[Tokens], targets: np.ndarray) -> Quality:
    """The quality of a model on sequences and their targets.

    Args:
        model: Trained.
        sequences: `n` complete sequences.
        targets: `[n]`, in [0, 1].
    """
    scores = model.predict(sequences)
    distances = [hamming(sequence, written) for sequence, written in zip(sequences, model.reconstruct(sequences))]
    ranks = pairwise_accuracy(scores, targets), rank_correlation(scores, targets)
    exact = float(np.mean([distance == 0 for distance in distances]))
    return Quality(len(sequences), *ranks, float(np.mean(distances)), exact)


def pairwise_accuracy(scores: Sequence[float] | np.ndarray, targets: Sequence[float] | np.ndarray) -> float:
    """Share of the pairs with different targets in which the higher score has the higher target; equal scores count
    half.

    Args:
        scores: `[n]`.
        targets: `[n]`.

    Returns:
        In [0, 1]; NaN where all targets are equal.
    """
    scores, targets = np.asarray(scores, np.float64), np.asarray(targets, np.float64)
    above = targets[:, None] > targets[None, :]
    if not above.any():
        return float("nan")
    differences = (scores[:, None] - scores[None, :])[above]
    return float(np.mean((differences > 0) + 0.5 * (differences == 0)))


def hamming(one: Tokens, other: Tokens) -> int:
    """Places in which two sequences differ; where one has ended and the other has not, they do.

    Args:
        one: A token sequence.
        other: A token sequence.
    """
    return sum(first != second for first, second in zip(one, other)) + abs(len(one) - len(other))
