"""Workers as actors of Ray, on this machine or on a cluster.

Ray starts an actor where its share of CPUs and GPUs is free and tells when it or its machine dies. Everything else
(attempts, time limits, duplicates, order) is the dispatcher's. Nothing of this package is pickled by value: an actor
imports it, so every machine needs the same version, which the greeting proves.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import socket
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from alphaxenas.suggestions import invalid
from alphaxenas.workers.dispatch import Gone, WorkerError
from alphaxenas.workers.processes import thread_limits

INSTALL = "pip install -r requirements-cluster.txt"
KEPT = 4
"""Versions of shared weights that stay in Ray's object store."""
STORE_BYTES = 512 * 2**20
"""Object store of a Ray that is started here; by itself Ray takes a third of the memory."""


def is_installed() -> bool:
    """Whether Ray is there."""
    return importlib.util.find_spec("ray") is not None


class Actor:
    """A worker in Ray.

    Args:
        work: Answers messages.
    """

    def __init__(self, work: Callable[[Any], Any]) -> None:
        self._work = work

    def answer(self, message: dict[str, Any], weights: Any = None) -> Any:
        """The answer to a message.

        Args:
            message: JSON values.
            weights: Of shared weights, where they are a part of it.
        """
        return self._work(message if weights is None else {**message, "weights": weights})


class RayBackend:
    """Workers as actors (`alphaxenas.workers.dispatch.Backend`).

    Args:
        work: Answers messages, the first of which is empty; an object of a module of this package.
        workers: How many there will be.
        address: Of a cluster: `auto`, `host:port` or `ray://host:port`; empty starts a Ray on this machine.
        cpus: CPUs of a worker, > 0; may be a fraction.
        gpus: GPUs of a worker, >= 0; a fraction shares one.

    Raises:
        WorkerError: The cluster cannot be reached.
        ValueError: More workers are wanted than there is room for; says how many fit.
    """

    def __init__(
        self, work: Callable[[Any], Any], workers: int, address: str = "", cpus: float = 1.0, gpus: float = 0.0
    ) -> None:
        # A machine under load needs longer than Ray's 30 seconds to start its own processes.
        os.environ.setdefault("RAY_agent_register_timeout_ms", "300000")
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "1")
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        import ray

        self._ray, self._work = ray, work
        self._own = not ray.is_initialized()
        if self._own:
            _connect(ray, address)
        try:
            check_room(ray.nodes(), workers, cpus, gpus)
        except ValueError:
            self.close()
            raise
        root = str(Path(__file__).resolve().parents[2])
        path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))
        variables = {**thread_limits(max(1, int(cpus))), "PYTHONPATH": path, "TF_CPP_MIN_LOG_LEVEL": "2"}
        remote = ray.remote(num_cpus=cpus, num_gpus=gpus, max_restarts=0, runtime_env={"env_vars": variables})
        self._actor = remote(Actor)
        self._awaited: dict[Any, Any] = {}
        self._weights: dict[int, Any] = {}

    def start(self) -> Any:
        """A new actor, wherever there is room."""
        actor = self._actor.remote(self._work)
        self.send(actor, {})
        return actor

    def send(self, worker: Any, message: dict[str, Any]) -> None:
        """Hands an actor a job; shared weights are stored once for all actors.

        Args:
            worker: An actor.
            message: The job.
        """
        weights = None
        if "weights" in message:
            version = message["version"]
            if version not in self._weights:
                self._weights[version] = self._ray.put(message["weights"])
                for old in sorted(self._weights)[:-KEPT]:
                    del self._weights[old]
            weights = self._weights[version]
            message = {name: value for name, value in message.items() if name != "weights"}
        self._awaited[worker.answer.remote(message, weights)] = worker

    def receive(self, workers: Iterable[Any], seconds: float) -> list[tuple[Any, Any]]:
        """Answers of actors, and why others ended.

        Args:
            workers: Not needed: what is awaited is known.
            seconds: To wait for the first.
        """
        if not self._awaited:
            return []
        ready, _ = self._ray.wait(list(self._awaited), num_returns=1, timeout=seconds)
        if ready:
            ready, _ = self._ray.wait(list(self._awaited), num_returns=len(self._awaited), timeout=0)
        found = []
        for reference in ready:
            worker = self._awaited.pop(reference)
            try:
                found.append((worker, self._ray.get(reference)))
            except self._ray.exceptions.RayError as error:
                lines = str(error).strip().splitlines()
                found.append((worker, Gone(f"{type(error).__name__}: {lines[0] if lines else 'no message'}")))
        return found

    def end(self, worker: Any) -> None:
        """Kills an actor."""
        self._awaited = {reference: other for reference, other in self._awaited.items() if other is not worker}
        self._ray.kill(worker)

    def close(self) -> None:
        """Lets go of the cluster, or ends the Ray that was started here; actors end with it."""
        if self._own:
            self._ray.shutdown()


def check_room(nodes: Iterable[Mapping[str, Any]], workers: int, cpus: float, gpus: float) -> None:
    """Refuses more workers than machines have room for.

    Args:
        nodes: As `ray.nodes()` describes them.
        workers: How many are wanted.
        cpus: Of each.
        gpus: Of each.

    Raises:
        ValueError: Says how many fit, and what else to change.
    """
    room, there = 0, []
    for node in nodes:
        if node["Alive"]:
            has = node["Resources"]
            fits = [int(has.get(kind, 0.0) / each + 1e-9) for kind, each in (("CPU", cpus), ("GPU", gpus)) if each]
            room += min(fits, default=0)
            there.append(f"{has.get('CPU', 0.0):g} CPUs and {has.get('GPU', 0.0):g} GPUs")
    if workers > room:
        raise invalid(
            "workers",
            f"at most {room}, or smaller `worker_cpus` ({cpus:g}) or `worker_gpus` ({gpus:g}): the "
            f"{len(there)} machines have {'; '.join(there) or 'nothing'}",
            workers,
        )


def _connect(ray: Any, address: str) -> None:
    """Starts a Ray here, or joins a cluster."""
    how: dict[str, Any] = {"address": address or "local", "log_to_driver": False, "logging_level": logging.ERROR}
    if not address:
        how |= {"include_dashboard": False, "object_store_memory": STORE_BYTES}
    try:
        host, _, port = address.removeprefix("ray://").rpartition(":")
        if host:
            # Ray itself would try for minutes.
            socket.create_connection((host, int(port)), timeout=10).close()
        ray.init(**how)
    except Exception as error:  # Ray raises bare ones, too
        ray.shutdown()
        what = "Ray cannot be started here" if not address else f"The cluster at {address!r} cannot be reached"
        raise WorkerError(
            f"{what} ({type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no message'}). Start its "
            "head with `ray start --head --port=6379`, or change `cluster_address`: '' for this machine, 'auto' for "
            "the cluster that this machine is part of, 'host:6379' for another, 'processes' to do without Ray."
        ) from error
