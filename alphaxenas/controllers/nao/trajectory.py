"""NAO's gradient ascent in the latent space: from good architectures to new ones that are predicted to be better."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from alphaxenas.contracts import Tokens
from alphaxenas.controllers.nao.model import Encoded, NAOModel
from alphaxenas.controllers.nao.pool import Member
from alphaxenas.controllers.nao.quality import fit_and_measure, scale_targets
from alphaxenas.controllers.nao.settings import NAOSettings
from alphaxenas.controllers.nao.token_arrays import TokenEncoder


@dataclass(frozen=True)
class AscentResult:
    """What a gradient ascent found.

    Attributes:
        sequences: New ones, of different keys; the best predicted first, or in the order in which they were found, see
            `NAOSettings.choose`.
        step: The step size at which it ended.
    """

    sequences: list[Tokens]
    step: float


@dataclass(frozen=True)
class LatentTrajectory:
    """Latent-space trajectory of one architecture; step 0 is its own encoding.

    Attributes:
        steps: Step sizes, `[s]`, the first one 0.
        scores: Predicted scores at the places of the continuous space, `[s]`.
        sequences: What is decoded there.
        read_again: Predicted scores of these sequences when they are encoded again, `[s]`.
    """

    steps: np.ndarray
    scores: np.ndarray
    sequences: list[Tokens]
    read_again: np.ndarray


def search_round(
    encoder: TokenEncoder,
    known: Sequence[Member],
    starts: Sequence[Member],
    settings: NAOSettings,
    new_key: Callable[[Tokens], str | None],
    rng: np.random.Generator,
) -> tuple[NAOModel, list[Tokens], dict[str, float]]:
    """What all searches by NAO do in a round: a network is trained on what is known, and good architectures ascend.

    Args:
        encoder: Of the space.
        known: Architectures with their rewards, four at least.
        starts: Where the ascent starts, the most promising first.
        settings: All count, except those of the pool.
        new_key: As for `gradient_ascent`.
        rng: Seeds the network, draws the held-out part and the `samples`.

    Returns:
        The network, new sequences, and the finite ones of these numbers: the network's held-out quality, its losses,
        how many were found and the step size at the end.
    """
    model = NAOModel(encoder.space, settings.network, int(rng.integers(2**31)), settings.variants, encoder)
    targets = scale_targets([member.reward for member in known], settings.targets)
    keys, sequences = [member.key for member in known], [member.tokens for member in known]
    quality = fit_and_measure(model, keys, sequences, targets, settings, rng)
    found = gradient_ascent(model, [member.tokens for member in starts], settings, new_key, rng)
    numbers = {**asdict(quality), **model.losses, "found": len(found.sequences), "step": found.step}
    return model, found.sequences, {name: float(value) for name, value in numbers.items() if np.isfinite(value)}


def gradient_ascent(
    model: NAOModel,
    starts: Sequence[Tokens],
    settings: NAOSettings,
    new_key: Callable[[Tokens], str | None],
    rng: np.random.Generator,
) -> AscentResult:
    """Moves sequences in the continuous space, with growing steps, and collects the new sequences that are decoded.

    Args:
        model: Trained.
        starts: Complete sequences, the most promising first.
        settings: `steps`, `unit_gradient`, `samples`, `new` and `choose`.
        new_key: The key of a sequence that may be evaluated; None of one that is known.
        rng: For `samples`.

    Returns:
        At most `settings.new` sequences.
    """
    encoded = model.encode(starts)
    directions = ascent_directions(model, encoded, settings.unit_gradient)
    found: dict[str, Tokens] = {}
    met: set[Tokens] = set(starts)
    step = 0.0
    for step in settings.steps:
        place = encoded.moved(directions, step)
        decoded = model.decode(place)
        for _ in range(settings.samples):
            decoded += model.decode(place, rng)
        for tokens in decoded:
            if tokens not in met:
                met.add(tokens)
                key = new_key(tokens)
                if key is not None:
                    found.setdefault(key, tokens)
        if settings.choose == "first" and len(found) >= settings.new:
            break
    sequences = list(found.values())
    if settings.choose == "predicted" and sequences:
        sequences = [sequences[place] for place in np.argsort(-model.predict(sequences), kind="stable")]
    return AscentResult(sequences[: settings.new], float(step))


def ascent_directions(model: NAOModel, encoded: Encoded, unit: bool) -> np.ndarray:
    """The directions in which predicted scores grow fastest, `[n, L, U]`; with `unit` of a mean square of one per place
    and sequence.

    Args:
        model: Trained.
        encoded: `n` sequences.
        unit: Whether to normalise.
    """
    directions = model.gradients(encoded)
    if unit:
        norms = np.sqrt((directions**2).sum((1, 2), keepdims=True) / encoded.lengths[:, None, None])
        directions = directions / np.maximum(norms, 1e-12)
    return directions


def latent_trajectory(
    model: NAOModel, start: Tokens, settings: NAOSettings, steps: Sequence[float]
) -> LatentTrajectory:
    """The trajectory of one architecture at given step sizes, for plotting.

    Args:
        model: Trained.
        start: A complete sequence.
        settings: `unit_gradient`.
        steps: Step sizes, `[s - 1]`.
    """
    encoded = model.encode([start])
    directions = ascent_directions(model, encoded, settings.unit_gradient)
    scores, sequences = [], []
    for step in (0.0, *steps):
        place = encoded.moved(directions, step)
        scores.append(float(model.scores(place)[0]))
        sequences += model.decode(place)
    return LatentTrajectory(np.array([0.0, *steps]), np.array(scores), sequences, model.predict(sequences))
