"""What a worker does: builds the evaluator of the search from the checked configuration, then answers jobs.

Only this travels: once the configuration as JSON values, then tokens and budgets one way, rewards and metrics the
other; and where children share weights, the arrays of those. What builds the evaluator is named by module and function.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import logging
import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from alphaxenas.contracts import Evaluator, Outcome, Proposal, Tokens

_log = logging.getLogger(__name__)

DIVERGED = "DivergedError"
"""So begins the reason of a failure that would come again: the child was trained, and its loss was not finite."""
PACKAGES = ("tensorflow", "keras", "numpy")
"""What results depend on; a worker has to have the versions of the process that searches."""


class Parts(NamedTuple):
    """What a search has on every worker.

    Attributes:
        evaluator: Rates architectures.
        data: Fingerprint of the data that it was built with; empty where it has none.
        score: Zero-cost scores of complete sequences, one row each, and seconds by proxy; None without proxies.
    """

    evaluator: Evaluator
    data: str = ""
    score: Callable[[Sequence[Tokens]], tuple[np.ndarray, dict[str, float]]] | None = None


@functools.cache
def fingerprint() -> dict[str, Any]:
    """Versions of Python and packages, and a hash of this package's code."""
    root, digest = Path(__file__).resolve().parents[1], hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + path.read_bytes().replace(b"\r\n", b"\n"))
    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    return {"python": platform.python_version().rpartition(".")[0], **versions, "code": digest.hexdigest()[:12]}


@dataclass
class Server:
    """Answers jobs with what it builds at the first one.

    Attributes:
        maker: `module:function`, which makes the `Parts` of the search from `arguments`.
        arguments: JSON values.
    """

    maker: str
    arguments: Mapping[str, Any]
    _parts: Parts | None = field(default=None, repr=False)

    def __call__(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to a message: a greeting, an outcome, or scores. What goes wrong is an `error` in it."""
        try:
            if self._parts is None:
                module, function = self.maker.split(":")
                self._parts = getattr(import_module(module), function)(**self.arguments)
            if "proposal" in message:
                return self._evaluated(self._parts.evaluator, message)
            if "sequences" in message:
                assert self._parts.score is not None, "scores are asked for with proxies alone"
                rows, seconds = self._parts.score([tuple(tokens) for tokens in message["sequences"]])
                return {"rows": rows, "seconds": seconds}
            place = f"{platform.node()}, process {os.getpid()}"
            return {**fingerprint(), "data": self._parts.data, "place": place}
        except Exception as error:  # the process that searches decides what follows
            return {"error": f"{type(error).__name__} on {platform.node()}: {error}"}

    def _evaluated(self, evaluator: Evaluator, message: Mapping[str, Any]) -> dict[str, Any]:
        proposal, before = Proposal.from_json(message["proposal"]), None
        if "weights" in message:
            evaluator.restore(message["weights"])
        if message.get("updates"):
            before = evaluator.state()
        outcome = timed(evaluator, proposal)
        answer: dict[str, Any] = {"outcome": outcome.to_json()}
        if before is not None:
            answer["changes"] = changes(before, evaluator.state())
        return answer


def timed(evaluator: Evaluator, proposal: Proposal) -> Outcome:
    """The outcome with its seconds, measured here where the evaluator tells none.

    What failed is evaluated a second time before anybody hears of it, unless it diverged. The cause may have been
    transient (memory that another process held, for example), and no controller proposes an architecture twice.

    Args:
        evaluator: Any; a failure leaves its state as it was.
        proposal: What it is asked.
    """
    begin = time.monotonic()
    outcome = evaluator.evaluate(proposal)
    if outcome.status == "failed" and not outcome.reason.startswith(DIVERGED):
        _log.warning("Proposal %d failed (%s) and is evaluated once more.", proposal.number, outcome.reason)
        again = evaluator.evaluate(proposal)
        outcome = replace(again, seconds=outcome.seconds + again.seconds)
    return outcome if outcome.seconds else replace(outcome, seconds=time.monotonic() - begin)


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """What is new or other in a state.

    Args:
        before: Nested dict of arrays and JSON values.
        after: Another one.
    """
    found: dict[str, Any] = {}
    for name, value in after.items():
        old: Any = before.get(name)
        if isinstance(value, Mapping):
            if inner := changes(old if isinstance(old, Mapping) else {}, value):
                found[name] = inner
        elif old is not value and not (type(old) is type(value) and np.array_equal(old, value)):
            found[name] = value
    return found


def merged(state: Mapping[str, Any], changed: Mapping[str, Any]) -> dict[str, Any]:
    """A state with `changes`.

    Args:
        state: Nested dict of arrays and JSON values.
        changed: What replaces or extends it.
    """
    result = dict(state)
    for name, value in changed.items():
        result[name] = merged(result.get(name, {}), value) if isinstance(value, Mapping) else value
    return result
