"""ENAS: shared weights and a policy that are trained in turn, and the architectures derived from them.

A round trains the shared weights for one pass over a share of the training data, with a fresh architecture at every
step, and then the policy for a number of steps: each draws architectures, rates them on validation data with the
weights as they are, and reinforces what was better. At the end architectures are drawn from the policy, every one is
rated on all validation data, and they are ranked. What is best there is a proposal: shared weights say little about
small differences, so the best few should be trained from scratch (`alphaxenas.pipelines.enas.train_derived`; notebook
09 for cells).

The data are images, or text (`shared_weights.py`): there a step is a window, and the reward of a perplexity is bounded
(`reward_of_loss`) where ENAS has 80 / perplexity.

Each round is one journal line and one checkpoint, so the same call continues whatever ended the run, bit for bit on
CPU.

Source: Pham et al. 2018, sections 2.1 to 2.4.
Departures from the published code: an architecture is scored with batch statistics measured on training images and
without dropout (there with the statistics of the very batch that it is scored on, and with dropout); a reward comes
from `reward_images` images, and its standard error is recorded (there from 128 or 160 images, an error of 3 to 4
points); all architectures of a policy step see the same images; derivation and ranking are part of the run; an
operation of a node has one set of weights (there one set for every input that it may be applied to).
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from alphaxenas.contracts import SearchSpace
from alphaxenas.controllers.policy_gradient.attention_policy import AttentionPolicy, DrawnSequences
from alphaxenas.runs.folder import RunFolder
from alphaxenas.runs.resume import ResumableLoop
from alphaxenas.runs.watch import progress_bar
from alphaxenas.seeds import stream
from alphaxenas.spaces.drawing.picture import picture
from alphaxenas.suggestions import check_name, check_whole
from alphaxenas.supernet import SAMPLING
from alphaxenas.supernet.shared_weights import SharedWeights

BEST_KEPT = 10
DRAWS_AHEAD = 50
"""Architectures drawn from the policy at once for the steps of the shared weights."""


@dataclass(frozen=True)
class Phases:
    """How long each part of a search is.

    Attributes:
        rounds: Rounds of both phases.
        fraction: Share of the training data of a round.
        sampling: Who chooses the architectures that train the shared weights: `"policy"` (ENAS) or `"uniform"`.
        policy_steps: Optimiser steps of the policy in a round.
        samples: Architectures scored for each of them.
        reward_images: Validation images, or words of validation text, that each is rated on.
        derived: Architectures drawn and ranked at the end.
    """

    rounds: int
    fraction: float = 1.0
    sampling: str = "policy"
    policy_steps: int = 10
    samples: int = 5
    reward_images: int = 1000
    derived: int = 20

    def __post_init__(self) -> None:
        check_name("sampling", self.sampling, SAMPLING)
        for name, low in (("rounds", 1), ("policy_steps", 0), ("samples", 2), ("reward_images", 1), ("derived", 1)):
            check_whole(name, getattr(self, name), low)


class EnasSearch:
    """One search; `run` starts or continues it.

    Args:
        space: Of the architectures.
        weights: What they share, with the data.
        policy: Draws architectures and learns.
        phases: How long; the schedule of the weights' learning rate spans all rounds.
        folder: An open run folder.
        seed: Of the architectures where they are drawn uniformly.
    """

    def __init__(
        self,
        space: SearchSpace,
        weights: SharedWeights,
        policy: AttentionPolicy,
        phases: Phases,
        folder: RunFolder,
        seed: int,
    ) -> None:
        self._space, self._weights, self._policy, self._phases = space, weights, policy, phases
        self._folder, self._seed = folder, seed
        self._loop = ResumableLoop(folder, self._state, self._restore, "round")

    def run(self) -> dict[str, Any]:
        """Runs all rounds and the derivation, or goes on with an interrupted run; a finished run returns at once.

        Returns:
            The content of results.json: `headline`, `best` (the highest ranked records: architecture, key, reward,
            standard error, parameters), `rounds`, `derived`, `left_out` (steps that were not finite) and `seconds`.

        Raises:
            Stopped, KeyboardInterrupt: After a signal, with the last round saved.
            StorageError: The records could not be written or read.
        """
        return self._loop.run(self._search)

    def _search(self) -> dict[str, Any]:
        loop, total = self._loop, self._phases.rounds
        with progress_bar(total, min(total, len(loop.records)), "round") as bar:
            while len(loop.records) < total:
                self._round(len(loop.records))
                bar.update()
                loop.leave_if_requested()
        derived = self._derive()
        best = sorted(derived, key=lambda record: (-record["reward"], record["trial"]))[:BEST_KEPT]
        drawing = picture(self._space, self._space.parse(best[0]["architecture"]))
        self._folder.events.picture(total, "best/cell", drawing)
        reached = self._weights.describe(best[0]["reward"])
        return {
            "headline": f"best {reached} with shared weights, of {len(derived)} derived architectures",
            "best": best,
            "rounds": total,
            "derived": len(derived),
            "left_out": sum(record["left_out"] for record in loop.records[:total]),
            "seconds": round(loop.elapsed(), 1),
        }

    def _state(self) -> dict[str, Any]:
        return {"supernet": self._weights.state(), "policy": self._policy.state()}

    def _restore(self, state: dict[str, Any]) -> None:
        self._weights.restore(state["supernet"])
        self._policy.restore(state["policy"])

    def _round(self, number: int) -> None:
        """Both phases, the journal line and the checkpoint."""
        trained = self._train_weights(number)
        record = {"round": number, "purpose": "round", **trained, **self._train_policy(number)}
        folder, curves = self._folder, {name: value for name, value in record.items() if isinstance(value, float)}
        self._loop.append(record | {"seconds": round(self._loop.elapsed(), 3), "finished_at": _now()})
        folder.events.scalars(number, {f"enas/{name}": value for name, value in curves.items()})
        score = "no policy steps"
        if "reward" in record:
            score = f"reward {record['reward']:.4f} (se {record['reward_error']:.4f}), unique {record['unique']:.2f}"
        reached = ", ".join(f"{name} {value:.4f}" for name, value in trained.items() if isinstance(value, float))
        folder.log(f"round {number}: {reached}, {score}")
        self._loop.checkpoint()

    def _train_weights(self, number: int) -> dict[str, Any]:
        """One pass over a share of the training data, with a fresh architecture at every step."""
        phases, weights = self._phases, self._weights
        steps = weights.steps(phases.fraction)

        def schedule(step: int) -> tuple[float, float]:
            progress = (number + step / steps) / phases.rounds
            return weights.rate_at(progress), progress

        return weights.train("enas", number, self._architectures(number, steps), schedule, phases.fraction)

    def _architectures(self, number: int, steps: int) -> Iterator[Any]:
        if self._phases.sampling == "uniform":
            rng = stream(self._seed, "enas", "uniform", number)
            return (self._space.sample(rng) for _ in range(steps))
        draws = (self._policy.sample(DRAWS_AHEAD) for _ in range(-(-steps // DRAWS_AHEAD)))
        return map(self._space.decode, itertools.islice(itertools.chain.from_iterable(draws), steps))

    def _train_policy(self, number: int) -> dict[str, float]:
        """Steps of the policy; means over them, and how varied its architectures are."""
        phases, steps = self._phases, list[dict[str, float]]()
        errors, skips, keys = list[float](), list[float](), list[str]()
        for step in range(phases.policy_steps):
            drawn = self._policy.sample(phases.samples)
            architectures = [self._space.decode(tokens) for tokens in drawn]
            rewards, found = zip(*self._weights.rate(architectures, number, step, phases.reward_images))
            errors += found
            keys += map(self._space.key, architectures)
            skips += [share for share in [skip_share(drawn)] if share is not None]
            steps.append(self._policy.learn(drawn, rewards))
        if not steps:
            return {}
        means = {name: float(np.mean([one[name] for one in steps])) for name in steps[0]}
        means |= {"baseline": steps[-1]["baseline"], "reward_error": float(np.mean(errors))}
        means["unique"] = len(set(keys)) / len(keys)
        return means | ({"skips": float(np.mean(skips))} if skips else {})

    def _derive(self) -> list[dict[str, Any]]:
        """Draws architectures from the policy and rates each on all validation data, unless it is recorded already."""
        loop, rounds = self._loop, self._phases.rounds
        for trial, architecture in enumerate(self.derive(self._phases.derived)):
            if rounds + trial < len(loop.records):
                continue
            record, key = loop.next_stored(), self._space.key(architecture)
            if record is None or record.get("key") != key:
                started = time.monotonic()
                (rating,) = self._weights.rate([architecture], rounds)
                record = {
                    "trial": trial,
                    "purpose": "derived",
                    "architecture": str(architecture),
                    "key": key,
                    "tokens": list(self._space.encode(architecture)),
                    "status": "ok",
                    "reward": rating.reward,
                    "reward_error": rating.error,
                    "parameters": self._weights.parameters_of(architecture),
                    "seconds": round(time.monotonic() - started, 3),
                    "finished_at": _now(),
                }
            loop.append(record)
            loop.leave_if_requested()
        return loop.records[rounds:]

    def derive(self, count: int) -> list[Any]:
        """At most `count` different architectures drawn from the policy; fewer where it has become too certain."""
        state = self._policy.state()
        found: dict[str, Any] = {}
        for _ in range(10):
            for tokens in self._policy.sample(count):
                architecture = self._space.decode(tokens)
                if len(found) < count:
                    found.setdefault(self._space.key(architecture), architecture)
        self._policy.restore(state)
        return list(found.values())


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="seconds")


def skip_share(drawn: DrawnSequences) -> float | None:
    """Share of the skip connections that are present; None for sequences that are not of the macro space."""
    from alphaxenas.spaces.macro import MACRO_OPERATIONS

    if not drawn.skip_penalty:
        return None
    decisions = drawn.tokens[drawn.tokens >= len(MACRO_OPERATIONS)] - len(MACRO_OPERATIONS)
    return float(decisions.mean())
