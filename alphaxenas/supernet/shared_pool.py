"""NAO with shared weights: the members of a pool take turns at training one set of weights, are scored with it, and the
worst replaced.

A round: every mini-batch, or window of text, trains one member, drawn by a policy (`pool_sampling.py`); then all
members are scored on the same validation images, or words; then encoder, predictor and decoder are trained on these
scores and a gradient ascent finds new members (`alphaxenas.controllers.nao.model` explains it).

Scores are worth something only if chance moves them less than architectures differ. So the subset of validation data
grows, twofold at a time, until the mean standard error of a score is at most half of the pool's spread, or there are no
more data; both numbers are reported. The spread is the standard deviation of the scores less what chance alone would
make of it. Scoring draws nothing: no dropout, statistics of the batch norms measured for all members on the same
training batches, which are not augmented because validation images are not.

Source: Luo et al. 2018, section 4.3, and the published code. Departures: the code scores members on ten different
batches of 500 images, with dropout on and batch statistics, so that its ranking is mostly chance; and its policy "by
prediction" does not run.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import cached_property
from typing import Any

import numpy as np

from alphaxenas.contracts import SearchSpace, Tokens
from alphaxenas.controllers.nao.pool import Member, best, renewed
from alphaxenas.controllers.nao.settings import NAOSettings
from alphaxenas.controllers.nao.token_arrays import TokenEncoder
from alphaxenas.controllers.nao.trajectory import search_round
from alphaxenas.runs.folder import RunFolder
from alphaxenas.runs.journal import TIMING
from alphaxenas.runs.resume import ResumableLoop
from alphaxenas.seeds import generator_state, restore_generator, stream
from alphaxenas.suggestions import invalid
from alphaxenas.supernet.pool_sampling import Plan, draw_probabilities
from alphaxenas.supernet.pool_scores import Scores
from alphaxenas.supernet.shared_weights import SharedWeights


class SharedPool:
    """A search in which a pool shares weights; continued where it stopped, after a whole round.

    Args:
        space: Of the architectures that `weights` knows.
        weights: Makes the shared weights; called when there is something to train. The subset grows by whole parts of
            its validation data.
        folder: An open run folder.
        settings: Of NAO; `memory` is the pool, because older scores are of other weights.
        plan: How many rounds there are and what each of them does.
        seed: Of everything.
    """

    def __init__(
        self,
        space: SearchSpace,
        weights: Callable[[], SharedWeights],
        folder: RunFolder,
        settings: NAOSettings,
        plan: Plan,
        seed: int,
    ) -> None:
        self._space, self._make_weights = space, weights
        self._folder, self._settings, self._plan = folder, replace(settings, memory="pool"), plan
        self._rng = stream(seed, "shared_pool")
        self._encoder = TokenEncoder(space)
        self._round = 0
        self._members: list[tuple[str, Tokens]] = []
        self._values: list[float] = []
        self._seen: set[str] = set()
        self._rounds: list[dict[str, Any]] = []
        self._loop = ResumableLoop(folder, self._state, self._restore, "record")

    @cached_property
    def _weights(self) -> SharedWeights:
        return self._make_weights()

    def run(self) -> dict[str, Any]:
        """Runs all rounds, or those that are left.

        Returns:
            The content of results.json: `headline`, `rounds` (numbers of every round), `best` (members by their last
            score, best first).

        Raises:
            Stopped: SIGTERM arrived; the rounds so far are saved.
            KeyboardInterrupt: The same for Ctrl-C.
            StorageError: The records could not be written or read.
        """
        return self._loop.run(self._run_rounds)

    def _run_rounds(self) -> dict[str, Any]:
        if not self._members:
            self._fill()
        while self._round < self._plan.rounds:
            self._loop.leave_if_requested()
            self._run_round()
        return self._results()

    def _state(self) -> dict[str, Any]:
        return {
            "weights": self._weights.state(),
            "generator": generator_state(self._rng),
            "round": self._round,
            "values": list(map(float, self._values)),
            "rounds": self._rounds,
            "members": [[key, list(map(int, tokens))] for key, tokens in self._members],
            "seen": sorted(self._seen),
        }

    def _restore(self, state: dict[str, Any]) -> None:
        self._weights.restore(state["weights"])
        restore_generator(self._rng, state["generator"])
        self._round, self._values, self._rounds = int(state["round"]), list(state["values"]), list(state["rounds"])
        self._members = [(key, tuple(tokens)) for key, tokens in state["members"]]
        self._seen = set(state["seen"])
        self._folder.event_start = self._round + 1

    def _run_round(self) -> None:
        losses = self._train()
        scores = self._score()
        pool = [
            # The mean reward of words is negative where a model is worse than guessing.
            Member(key, tokens, max(0.0, float(accuracy)))
            for (key, tokens), accuracy in zip(self._members, scores.accuracies)
        ]
        for member in pool:
            tokens, architecture = list(map(int, member.tokens)), str(self._space.decode(member.tokens))
            record = {"round": self._round, "key": member.key, "tokens": tokens, "architecture": architecture}
            self._loop.append(record | {"reward": member.reward})
        numbers = {
            "round": self._round,
            "train_loss": losses,
            "images": scores.images,
            "standard_error": scores.standard_error,
            "spread": scores.spread,
            "ranking_is_resolved": scores.ranking_is_resolved,
            "mean": float(scores.accuracies.mean()),
            "best": float(scores.accuracies.max()),
            "worst": float(scores.accuracies.min()),
        }
        self._round += 1
        if self._round < self._plan.rounds:
            numbers |= self._renew(pool)
        self._rounds.append(numbers)
        curves = {f"nao/{name}": float(value) for name, value in numbers.items() if name != "round"}
        self._folder.events.scalars(self._round, curves)
        measured = f"{scores.images} {self._weights.unit}"
        chance = f"standard error {scores.standard_error:.4f} on {measured}, spread {scores.spread:.4f}"
        reached = f"mean {numbers['mean']:.4f}, best {numbers['best']:.4f}"
        self._folder.log(f"round {self._round} of {self._plan.rounds}: {reached}, {chance}")
        self._loop.checkpoint()

    def _train(self) -> float:
        """One round of training; the mean loss of its last pass."""
        plan, weights, rng = self._plan, self._weights, self._rng
        steps, loss = weights.steps(), float("inf")
        architectures = [self._space.decode(tokens) for _, tokens in self._members]
        odds = self._odds(architectures)
        for epoch in range(plan.epochs):
            first = self._round * plan.epochs + epoch

            def schedule(step: int, epoch: int = epoch, first: int = first) -> tuple[float, float]:
                done = (epoch * steps + step) / (plan.epochs * steps)
                rate = 0.5 * plan.learning_rate * (1 + math.cos(math.pi * done))
                return rate, (first * steps + step) / (plan.rounds * plan.epochs * steps)

            turns = (architectures[rng.choice(len(architectures), p=odds)] for _ in range(steps))
            passed = weights.train("shared_pool", first, turns, schedule)
            loss = float("inf") if passed["left_out"] == steps else passed["loss"]
        return loss

    def _odds(self, architectures: Sequence[Any]) -> np.ndarray:
        """How often each member is to be drawn. New members have a predicted score, but no accuracy yet: theirs is the
        mean.
        """
        policy = self._plan.policy
        if policy == "parameters":
            return draw_probabilities(policy, list(map(self._weights.parameters_of, architectures)))
        if policy == "uniform" or not self._values:
            return draw_probabilities("uniform", [1.0] * len(architectures))
        return draw_probabilities(policy, self._values)

    def _score(self) -> Scores:
        """All members on the same validation data, as much as it takes."""
        architectures = [self._space.decode(tokens) for _, tokens in self._members]
        scores, wanted = np.zeros((len(architectures), 0)), self._plan.subset
        for part in self._weights.scores(architectures, self._round):
            scores = np.concatenate([scores, part], axis=1)
            if scores.shape[1] >= wanted:
                if Scores.of(scores).ranking_is_resolved:
                    break
                wanted = 2 * scores.shape[1]
        return Scores.of(scores)

    def _renew(self, pool: Sequence[Member]) -> dict[str, float]:
        """The next round's members, and the numbers of the network that found them."""
        settings = self._settings
        starts = best(pool, settings.tops)
        model, found, numbers = search_round(self._encoder, pool, starts, settings, self._new_key, self._rng)
        kept = renewed(pool, [], settings.pool - settings.new - settings.random)
        self._members = [(member.key, member.tokens) for member in kept]
        for tokens in found:
            self._enter(tokens)
        self._fill()
        if self._plan.policy == "prediction":
            self._values = model.predict([tokens for _, tokens in self._members]).tolist()
        else:
            known = {member.key: member.reward for member in pool}
            self._values = [known.get(key, float(np.mean(list(known.values())))) for key, _ in self._members]
        return numbers

    def _fill(self) -> None:
        """Draws members uniformly until the pool is full. Raises ValueError where the space has too few."""
        size, tries = self._settings.pool, 1000 * self._settings.pool
        while len(self._members) < size and tries:
            self._enter(self._space.encode(self._space.sample(self._rng)))
            tries -= 1
        if len(self._members) < size:
            raise invalid("pool", f"far fewer than the space's {self._space.size():,} architectures", size)

    def _enter(self, tokens: Tokens) -> None:
        """Takes an architecture in, unless it was a member before."""
        key = self._new_key(tokens)
        if key is not None:
            self._seen.add(key)
            self._members.append((key, tokens))

    def _new_key(self, tokens: Tokens) -> str | None:
        key = self._space.key(self._space.decode(tokens))
        return None if key in self._seen else key

    def _results(self) -> dict[str, Any]:
        records = [record for record in self._loop.records if record["round"] == self._plan.rounds - 1]
        ranked, last = sorted(records, key=lambda record: -record["reward"]), self._rounds[-1]
        return {
            "headline": f"best of the pool {last['best']:.4f}, standard error {last['standard_error']:.4f}, "
            f"spread {last['spread']:.4f}",
            "plan": asdict(self._plan),
            "rounds": self._rounds,
            "best": [{name: value for name, value in record.items() if name not in TIMING} for record in ranked[:10]],
            "ranking_is_resolved": last["ranking_is_resolved"],
        }
