"""A small, real search for the fault tests: stateful controller and evaluator, seconds-light, bit-for-bit repeatable.

Run as a program it plays one search: `python toy.py EXP_DIR [TRIALS [SECONDS_PER_CHILD [CHECKPOINT_EVERY]]]`.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from alphaxenas.coach import Coach
from alphaxenas.contracts import Budget, Outcome, Proposal
from alphaxenas.runs import RunFolder
from alphaxenas.seeds import generator_state, restore_generator, stream

LENGTH, CHOICES = 3, 3


@dataclass(frozen=True)
class Word:
    letters: tuple[int, ...]

    def to_json(self) -> str:
        return json.dumps(self.letters)

    def __str__(self) -> str:
        return "".join("abc"[letter] for letter in self.letters)


class WordSpace:
    """Words of three letters; the order of the first two does not matter."""

    vocabulary = ("a", "b", "c")
    max_length = LENGTH

    def legal_actions(self, tokens):
        return () if len(tokens) == LENGTH else tuple(range(CHOICES))

    def decode(self, tokens):
        return Word(tuple(tokens))

    def key(self, architecture):
        first, second, third = architecture.letters
        return f"{min(first, second)}{max(first, second)}{third}"

    def draw(self, architecture, axes):
        axes.set_title(str(architecture))


class DriftingEvaluator:
    """Every training moves shared weights, so a score depends on everything trained before."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.weights, self.trained, self.seconds = np.zeros(CHOICES), 0, seconds

    def evaluate(self, proposal: Proposal) -> Outcome:
        if self.seconds:
            time.sleep(self.seconds)
        letters = np.array(proposal.tokens)
        if proposal.tokens == (2, 2, 2):
            return Outcome(proposal, 0.0, "failed", reason="DivergedError: loss is not finite")
        if proposal.budget.epochs:
            noise = stream(3, "train", self.trained).normal(size=CHOICES)
            for _ in range(proposal.budget.epochs):
                self.weights[letters] += 0.1 * np.tanh(noise[letters])
            self.trained += 1
        reward = float(1 / (1 + np.exp(-self.weights[letters].sum())))
        return Outcome(proposal, reward, metrics={"loss": float(1 - reward)})

    def state(self):
        return {"weights": self.weights.copy(), "trained": self.trained}

    def restore(self, state):
        self.weights, self.trained = state["weights"].copy(), state["trained"]


class SeededPlayer:
    """Draws words, leaning towards letters that did well; two search proposals, then a final one, then a refresh."""

    purposes = ("search", "search", "final", "refresh")

    def __init__(self, seed: int) -> None:
        self.rng, self.scores, self.number = stream(seed, "player"), np.ones(CHOICES), 0
        self.last: tuple[int, ...] = (0,) * LENGTH

    def ask(self):
        purpose = self.purposes[self.number % 4]
        if purpose != "refresh":
            self.last = tuple(map(int, self.rng.choice(CHOICES, LENGTH, p=self.scores / self.scores.sum())))
        epochs = {"search": 1, "final": 3, "refresh": 0}[purpose]
        self.number += 1
        return Proposal(self.number - 1, self.last, Budget(epochs, 0.5), purpose)

    def tell(self, outcome):
        for token in outcome.proposal.tokens:
            self.scores[token] = 0.9 * self.scores[token] + 0.1 * outcome.reward

    def diagnostics(self):
        return {"player/sum": float(self.scores.sum())}

    def status_line(self):
        return f"best letter {'abc'[int(self.scores.argmax())]}"

    def state(self):
        return {
            "rng": generator_state(self.rng),
            "scores": self.scores.copy(),
            "number": self.number,
            "last": list(self.last),
        }

    def restore(self, state):
        restore_generator(self.rng, state["rng"])
        self.scores, self.number, self.last = state["scores"].copy(), state["number"], tuple(state["last"])


def play(
    exp_dir: Path,
    trials: int = 12,
    seconds: float = 0.0,
    checkpoint_every: int = 1,
    seed: int = 0,
    evaluator=None,
    **more,
) -> dict:
    """Starts or continues the run `toy/search` in `exp_dir`."""
    with RunFolder.open("toy", "search", {"seed": seed, "trials": trials}, exp_dir, Path(exp_dir) / "events") as folder:
        coach = Coach(
            WordSpace(),
            SeededPlayer(seed),
            evaluator or DriftingEvaluator(seconds),
            folder,
            trials=trials,
            checkpoint_every=checkpoint_every,
            **more,
        )
        return coach.run()


if __name__ == "__main__":
    play(Path(sys.argv[1]), *(kind(word) for kind, word in zip((int, float, int), sys.argv[2:])))
