"""Zero-cost proxies of a search on images: what they compute with, and the space that shows them to a controller."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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
        ValueError: A proxy cannot score some networks of this space; names the proxy, the architecture and the layer.
    """
    batch = initial_batch(data.train.images, data.train.labels, data.mean, data.std, PROXY_BATCH, seed)

    def initial(architecture: Any) -> NetworkWithBatch:
        return NetworkWithBatch(network_of(architecture), data.image_shape, batch, seed)

    scores = ProxyScores(names, space.key, initial)
    for architecture in one_of_each(space, space.sample(stream(seed, "proxies", "check"))):
        scores.check(architecture)
    return SpaceWithProxies(space, scores)


def one_of_each(space: SearchSpace, first: Any) -> Iterator[Any]:
    """Architectures among which every word of the vocabulary occurs, as far as a neighbour of the first has it.

    Args:
        space: What is searched; only what it allows is given.
        first: An architecture of it, given first.
    """
    allows, seen = getattr(space, "allows", lambda _: True), set(space.encode(first))
    yield first
    for other in filter(allows, space.neighbours(first)):
        if new := set(space.encode(other)) - seen:
            seen |= new
            yield other
