"""What rates the children of a search: an evaluator of this process, or workers, which build it themselves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from alphaxenas.config import Config
from alphaxenas.config.other_searches import PROCESSES
from alphaxenas.contracts import Evaluator
from alphaxenas.data import ImageData
from alphaxenas.data.text import TextData
from alphaxenas.pipelines.factory import search_space
from alphaxenas.proxies import ProxyScores
from alphaxenas.runs.machine import usable_cores
from alphaxenas.workers.cluster import RayBackend, check_room
from alphaxenas.workers.dispatch import Backend, Dispatcher, greeting_refused
from alphaxenas.workers.evaluations import Workers
from alphaxenas.workers.processes import ProcessBackend
from alphaxenas.workers.serve import Server, fingerprint

WORKER = "alphaxenas.pipelines.raters.worker:parts"
"""What a worker makes of the configuration."""


@dataclass(frozen=True)
class Rating:
    """What rates the children of a search.

    Attributes:
        maker: `module:function`; called with the configuration, the data and `arguments` it makes an evaluator.
        arguments: Keyword arguments, JSON values.
        proxies: Names of zero-cost proxies that the controller uses.
    """

    maker: str
    arguments: dict[str, Any] = field(default_factory=dict)
    proxies: tuple[str, ...] = ()

    def evaluator(self, config: Config, data: Any) -> Evaluator:
        """The evaluator, in this process.

        Args:
            config: The configuration.
            data: The configured images or text.
        """
        module, function = self.maker.split(":")
        return getattr(import_module(module), function)(config, data, **self.arguments)


def awaited_at_once(config: Config) -> int:
    """Proposals whose outcomes are awaited at once."""
    return config.workers.in_flight or max(1, config.workers.workers)


@contextmanager
def rated(
    config: Config, rating: Rating, data: ImageData | TextData | None, scores: ProxyScores | None
) -> Iterator[Evaluator | Workers]:
    """What rates the children: workers where more than one is asked for, all of them up and of this version.

    Args:
        config: The configuration.
        rating: What to build.
        data: The configured images or text.
        scores: Zero-cost scores that the controller uses; workers compute them, too.

    Yields:
        The evaluator, or the workers, which end with the block.

    Raises:
        WorkerError: The cluster cannot be reached, or a worker cannot begin or is of another version.
        ValueError: There is no room for so many workers.
    """
    chosen = config.workers
    if chosen.workers < 2:
        yield rating.evaluator(config, data)
        return
    here: Any = rating.evaluator(config, data)
    identity = getattr(data, "identity", None)
    own = {**fingerprint(), "data": identity["fingerprint"] if identity else ""}
    dispatcher = Dispatcher(
        _backend(config, rating, isinstance(data, TextData)),
        chosen.workers,
        chosen.trial_attempts,
        chosen.trial_minutes,
        lambda greeting: greeting_refused(greeting, own),
    )
    # An evaluator without a state has nothing that children share.
    workers = Workers(dispatcher, here if here.state() else None)
    try:
        dispatcher.begin()
        if scores is not None:
            space = search_space(config)
            scores.elsewhere = lambda found: workers.score([space.encode(one) for one in found])
        yield workers
    finally:
        workers.close()
        if scores is not None:
            scores.elsewhere = None


def _backend(config: Config, rating: Rating, text: bool) -> Backend:
    """Where workers live, with what they build."""
    chosen = config.workers
    cpus, gpus, number = chosen.worker_cpus, chosen.worker_gpus, chosen.workers
    arguments = {
        "parameters": config.parameters(),
        "maker": rating.maker,
        "arguments": rating.arguments,
        "proxies": list(rating.proxies),
        "text": text,
    }
    server = Server(WORKER, arguments)
    if chosen.cluster_address != PROCESSES:
        return RayBackend(server, number, chosen.cluster_address, cpus, gpus)
    check_room([{"Alive": True, "Resources": {"CPU": usable_cores()}}], number, cpus, gpus)
    return ProcessBackend(server, max(1, int(cpus)))
