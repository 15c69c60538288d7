"""Workers for tests: a backend without processes under a clock of its own, and a maker of a toy search's evaluator.

Run as a program it coordinates one toy search: `python -m tests.workers.toys JSON`, arguments of `coordinate` by name.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import sys
import time
from pathlib import Path

from alphaxenas.workers.dispatch import Dispatcher, Gone
from alphaxenas.workers.evaluations import Workers
from alphaxenas.workers.processes import ProcessBackend
from alphaxenas.workers.serve import Parts, Server
from tests.faults.toy import DriftingEvaluator, play


class Sharing(DriftingEvaluator):
    """The toy's evaluator, every child of which starts from shared weights."""

    def shares(self, proposal):
        return proposal.purpose != "final"

    def evaluate(self, proposal):
        if self.shares(proposal) and proposal.updates_shared_weights:
            return super().evaluate(proposal)
        before = self.state()
        if not self.shares(proposal):
            self.restore({"weights": before["weights"] * 0, "trained": 0})
        try:
            return super().evaluate(proposal)
        finally:
            self.restore(before)


class FromScratch(DriftingEvaluator):
    """The toy's evaluator, every child of which starts anew."""

    def evaluate(self, proposal):
        self.restore({"weights": self.weights * 0, "trained": 0})
        return super().evaluate(proposal)


def make(kind="scratch", seconds=0.0, marks="", dies=0, sleeps=0, stuck=0, data=""):
    """Parts of a toy search; every `dies`-th evaluation on this machine kills its worker, every `sleeps`-th hangs, and
    so do all from number `stuck` on.
    """
    evaluator = {"scratch": FromScratch, "shared": Sharing}[kind](seconds)
    plain = evaluator.evaluate

    def evaluate(proposal):
        number = sum(1 for _ in os.scandir(marks)) if marks else 0
        if marks:
            open(os.path.join(marks, f"{number}-{os.getpid()}-{time.monotonic_ns()}"), "w").close()
        if dies and number % dies == dies - 1:
            os.kill(os.getpid(), signal.SIGKILL)
        if (sleeps and number % sleeps == sleeps - 1) or (stuck and number >= stuck):
            time.sleep(600)
        return plain(proposal)

    evaluator.evaluate = evaluate
    return Parts(evaluator, data)


MAKER = "tests.workers.toys:make"


class Simulated:
    """A backend whose workers are objects and whose time is a number.

    Args:
        seconds: How long the next evaluation takes, from its number.
        fate: What becomes of an evaluation, from its number: "" = answered, "dies", "twice" = answered twice.
        **arguments: Of `make`.
    """

    def __init__(self, seconds=lambda number: 1.0, fate=lambda number: "", **arguments):
        self.now, self.seconds, self.fate, self.arguments = 0.0, seconds, fate, arguments
        self.servers, self.due, self.numbers, self.sent = {}, [], itertools.count(), []

    def clock(self):
        return self.now

    def start(self):
        worker = f"worker{len(self.servers)}"
        self.servers[worker] = Server(MAKER, self.arguments)
        self.due.append((self.now, worker, self.servers[worker]({})))
        return worker

    def send(self, worker, message):
        self.sent.append((worker, message))
        number = next(self.numbers)
        at, fate = self.now + self.seconds(number), self.fate(number)
        answer = Gone("its process was killed") if fate == "dies" else self.servers[worker](message)
        self.due += [(at, worker, answer)] * (2 if fate == "twice" else 1)

    def receive(self, workers, seconds):
        self.due.sort(key=lambda one: one[0])
        if not self.due or self.due[0][0] > self.now + seconds:
            self.now += seconds
            return []
        self.now = max(self.now, self.due[0][0])
        ready = [one for one in self.due if one[0] <= self.now]
        self.due = self.due[len(ready) :]
        return [(worker, answer) for _, worker, answer in ready]

    def end(self, worker):
        self.due = [one for one in self.due if one[1] != worker]

    def close(self):
        self.due = []


def coordinate(exp_dir, backend="processes", workers=2, shared=False, trials=14, order="deterministic", **arguments):
    """The toy search with three proposals in flight, on real workers."""
    server = Server(MAKER, {"kind": "shared" if shared else "scratch", **arguments})
    if backend == "ray":
        from alphaxenas.workers.cluster import RayBackend

        opened = RayBackend(server, workers, cpus=0.5)
    else:
        opened = ProcessBackend(server)
    try:
        dispatcher = Dispatcher(opened, workers)
        dispatcher.begin()
        evaluations = Workers(dispatcher, Sharing() if shared else None)
        play(Path(exp_dir), trials, evaluator=evaluations, in_flight=3, order=order)
    finally:
        opened.close()


if __name__ == "__main__":
    coordinate(**json.loads(sys.argv[1]))
