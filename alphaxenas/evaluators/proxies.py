"""Zero-cost proxies of a search on images: what they compute with, and the space that shows them to a controller."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from alphaxenas.contracts import SearchSpace
from alphaxenas.data import ImageData
from alphaxenas.networks.training.initial import NetworkWithBatch, initial_batch
from alphaxenas.proxies import ProxyScores, SpaceWithProxies
from alphaxenas.seeds import stream

PROXY_BATCH = 64
"""Images of the batch that proxies compute with."""


def with_proxies(
    names: Sequence[str], space: SearchSpace, network_of: Callable[[Any], Any], data: ImageData, seed: int
) -> SpaceWithProxies:
    """The space as a controller sees it, with zero-cost proxies of the networks that the search trains.

    Args:
        names: Keys of `alphaxenas.proxies.PROXIES`, at least one.
        space: What is searched.
        network_of: The network of an architecture.
        data: A batch of its training images is what proxies compute with.
        seed: Of the batch and of the initial weights.

    Returns:
        The space with its scores.

    Raises:
        ValueError: A proxy cannot score the networks of this space; names the proxy and the layer.
    """
    batch = initial_batch(data.train.images, data.train.labels, data.mean, data.std, PROXY_BATCH, seed)

    def initial(architecture: Any) -> NetworkWithBatch:
        return NetworkWithBatch(network_of(architecture), data.image_shape, batch, seed)

    scores = ProxyScores(names, space.key, initial)
    scores.check(space.sample(stream(seed, "proxies", "check")))
    return SpaceWithProxies(space, scores)
