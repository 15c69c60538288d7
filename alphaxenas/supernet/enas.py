"""ENAS: shared weights and a policy that are trained in turn, and the architectures derived from them.

A round trains the shared weights for one pass over the drawn training images, with a fresh architecture at every step,
and then the policy for a number of steps: each draws architectures, scores them on validation images with the weights
as they are, and reinforces what scored better. At the end architectures are drawn from the policy, every one is scored
on all validation images, and they are ranked. What is best there is a proposal: shared weights say little about small
differences, so the best few should be trained from scratch (`alphaxenas.pipelines.enas.train_derived`).

Each round is one journal line and one checkpoint, so the same call continues whatever ended the run, bit for bit on
CPU.

Source: Pham et al. 2018, sections 2.2 to 2.4.
Departures from the published code: an architecture is scored with batch statistics measured on training images and
without dropout (there with the statistics of the very batch that it is scored on, and with dropout); a reward comes
from `reward_images` images, and its standard error is recorded (there from 128 or 160 images, an error of 3 to 4
points); all architectures of a policy step see the same images; derivation and ranking are part of the run; an
operation of a node has one set of weights (there one set for every input that it may be applied to).
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from alphaxenas.contracts import SearchSpace
from alphaxenas.controllers.policy_gradient.attention_policy import AttentionPolicy, DrawnSequences
from alphaxenas.data.images import ImageData
from alphaxenas.data.pipeline import Batches
from alphaxenas.networks.training.loop import EVALUATION_BATCH
from alphaxenas.networks.training.recipe import Recipe
from alphaxenas.runs.folder import RunFolder
from alphaxenas.runs.resume import ResumableLoop
from alphaxenas.runs.watch import progress_bar
from alphaxenas.seeds import stream, tensor_seed
from alphaxenas.spaces.drawing.picture import picture
from alphaxenas.suggestions import check_name, check_whole
from alphaxenas.supernet import SAMPLING
from alphaxenas.supernet.supernet import Supernet
from alphaxenas.supernet.supernetworks import Supernetwork

CALIBRATION_BATCHES = 5
BEST_KEPT = 10
DRAWS_AHEAD = 50
"""Architectures drawn from the policy at once for the steps of the shared weights."""


@dataclass(frozen=True)
class Phases:
    """How long each part of a search is.

    Attributes:
        rounds: Rounds of both phases.
        fraction: Share of the training images drawn for a round.
        batch_size: Images a step of the shared weights.
        sampling: Who chooses the architectures that train the shared weights: `"policy"` (ENAS) or `"uniform"`.
        policy_steps: Optimiser steps of the policy in a round.
        samples: Architectures scored for each of them.
        reward_images: Validation images that each is scored on.
        derived: Architectures drawn and ranked at the end.
        augment: Crops and mirrors training images.
        cutout: Side of the square cut out of training images, pixels; 0 for none.
    """

    rounds: int
    fraction: float = 1.0
    batch_size: int = 64
    sampling: str = "policy"
    policy_steps: int = 10
    samples: int = 5
    reward_images: int = 1000
    derived: int = 20
    augment: bool = True
    cutout: int = 0

    def __post_init__(self) -> None:
        check_name("sampling", self.sampling, SAMPLING)
        for name, low in (("rounds", 1), ("policy_steps", 0), ("samples", 2), ("reward_images", 1), ("derived", 1)):
            check_whole(name, getattr(self, name), low)


class EnasSearch:
    """One search; `run` starts or continues it.

    Args:
        space: Micro or macro.
        network: All networks of the space.
        policy: Draws architectures and learns.
        data: Training and validation part; the test part is never read.
        recipe: How the shared weights are trained; its schedule spans all rounds.
        phases: How long.
        folder: An open run folder.
        seed: Of weights and draws.
    """

    def __init__(
        self,
        space: SearchSpace,
        network: Supernetwork,
        policy: AttentionPolicy,
        data: ImageData,
        recipe: Recipe,
        phases: Phases,
        folder: RunFolder,
        seed: int,
    ) -> None:
        self._space, self._policy, self._phases, self._folder, self._seed = space, policy, phases, folder, seed
        self.supernet = Supernet(network, data.image_shape, recipe, seed)
        self._recipe = recipe
        self._training = Batches.of(data, "train", phases.batch_size, phases.augment, phases.cutout)
        self._validation = Batches.of(data, "validation", EVALUATION_BATCH)
        self._reward_share = min(1.0, phases.reward_images / len(data.validation))
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
        reached = f"best validation accuracy with shared weights {best[0]['reward']:.4f}"
        return {
            "headline": f"{reached} of {len(derived)} derived architectures",
            "best": best,
            "rounds": total,
            "derived": len(derived),
            "left_out": sum(record["left_out"] for record in loop.records[:total]),
            "seconds": round(loop.elapsed(), 1),
        }

    def _state(self) -> dict[str, Any]:
        return {"supernet": self.supernet.state(), "policy": self._policy.state()}

    def _restore(self, state: dict[str, Any]) -> None:
        self.supernet.restore(state["supernet"])
        self._policy.restore(state["policy"])

    def _round(self, number: int) -> None:
        """Both phases, the journal line and the checkpoint."""
        record = {"round": number, "purpose": "round", **self._train_weights(number), **self._train_policy(number)}
        folder, curves = self._folder, {name: value for name, value in record.items() if isinstance(value, float)}
        self._loop.append(record | {"seconds": round(self._loop.elapsed(), 3), "finished_at": _now()})
        folder.events.scalars(number, {f"enas/{name}": value for name, value in curves.items()})
        score = "no policy steps"
        if "reward" in record:
            score = f"reward {record['reward']:.4f} (se {record['reward_error']:.4f}), unique {record['unique']:.2f}"
        folder.log(f"round {number}: loss {record['loss']:.4f}, training {record['train_accuracy']:.4f}, {score}")
        self._loop.checkpoint()

    def _train_weights(self, number: int) -> dict[str, Any]:
        """One pass over the drawn images, with a fresh architecture at every step."""
        phases, losses, correct, images, left_out = self._phases, [], 0, 0, 0
        steps = self._training.steps(phases.fraction)
        batches = self._training.epoch(self._seed, number, phases.fraction, ("enas",))
        for step, ((x, y), architecture) in enumerate(zip(batches, self._architectures(number, steps))):
            progress = (number + step / steps) / phases.rounds
            rate, seed = self._recipe.rate_at(progress), tensor_seed(self._seed, "enas", number, step)
            loss, hits = self.supernet.train_step(architecture, x, y, rate, progress, seed)
            left_out += not math.isfinite(loss)
            losses.append(loss)
            correct, images = correct + hits, images + len(y)
        finite = [loss for loss in losses if math.isfinite(loss)]
        return {
            "loss": float(np.mean(finite)) if finite else 0.0,
            "train_accuracy": correct / images,
            "images": images,
            "learning_rate": float(rate),
            "left_out": left_out,
        }

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
        calibration = self._calibration(number) if phases.policy_steps else []
        for step in range(phases.policy_steps):
            drawn = self._policy.sample(phases.samples)
            architectures = [self._space.decode(tokens) for tokens in drawn]
            images = list(self._validation.epoch(self._seed, step, self._reward_share, ("enas", "reward", number)))
            rewards = [self.supernet.accuracy(one, calibration, images) for one in architectures]
            errors += [standard_error(reward, images) for reward in rewards]
            keys += map(self._space.key, architectures)
            skips += [share for share in [skip_share(drawn)] if share is not None]
            steps.append(self._policy.learn(drawn, rewards))
        if not steps:
            return {}
        means = {name: float(np.mean([one[name] for one in steps])) for name in steps[0]}
        means |= {"baseline": steps[-1]["baseline"], "reward_error": float(np.mean(errors))}
        means["unique"] = len(set(keys)) / len(keys)
        return means | ({"skips": float(np.mean(skips))} if skips else {})

    def _calibration(self, number: int) -> list:
        """A few batches of training images as they are, because validation images are not augmented either."""
        drawn = self._training.epoch(self._seed, number, 1.0, ("enas", "calibration"), augment=False)
        return list(itertools.islice(drawn, CALIBRATION_BATCHES))

    def _derive(self) -> list[dict[str, Any]]:
        """Draws architectures from the policy and scores each on all validation images; what is recorded already is not
        done again.
        """
        loop, rounds = self._loop, self._phases.rounds
        calibration, images = self._calibration(rounds), list(self._validation.in_order())
        for trial, architecture in enumerate(self.derive(self._phases.derived)):
            if rounds + trial < len(loop.records):
                continue
            record, key = loop.next_stored(), self._space.key(architecture)
            if record is None or record.get("key") != key:
                started = time.monotonic()
                reward = self.supernet.accuracy(architecture, calibration, images)
                record = {
                    "trial": trial,
                    "purpose": "derived",
                    "architecture": str(architecture),
                    "key": key,
                    "tokens": list(self._space.encode(architecture)),
                    "status": "ok",
                    "reward": reward,
                    "reward_error": standard_error(reward, images),
                    "parameters": self.supernet.parameters_of(architecture),
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


def skip_share(drawn: DrawnSequences) -> float | None:
    """Share of the skip connections that are present; None for sequences that are not of the macro space."""
    from alphaxenas.spaces.macro import MACRO_OPERATIONS

    if not drawn.skip_penalty:
        return None
    decisions = drawn.tokens[drawn.tokens >= len(MACRO_OPERATIONS)] - len(MACRO_OPERATIONS)
    return float(decisions.mean())
