"""NAO: architectures are encoded, moved along the gradient of their predicted accuracy, and decoded again.

A round trains encoder, predictor and decoder (`network.py`) on what was evaluated, ascends from the best members
of the pool (`trajectory.py`), and has what is new on the way evaluated, with a few architectures drawn uniformly.
They replace the worst members of the pool.

Source: Luo et al. 2018, "Neural architecture optimization", algorithm 1, and the published code. Presets `"paper"` and
`"code"` have their constants; departures in all presets:

- The network starts anew every round: one that is trained on keeps what it believed when it knew less.
- A part of the known architectures is held out first and the network's quality measured on it (`quality.py`).
- Architectures whose evaluation failed count as the lowest reward when the network is trained, and never enter the
  pool.
- The gradient is taken of predicted accuracy, as in the paper, not of predicted error, as in the code, which is the
  same.
- Where fewer new architectures decode than are wanted, the rest is drawn uniformly, so that every round costs the same.

Our own preset `"small"` is for some hundred evaluations: rounds of a few, ranks of rewards as targets instead of
min-max (one failed training would squeeze all others together), the gradient scaled to one length, and of everything
that decodes along the whole gradient ascent the best predicted is evaluated instead of the first found. A good decoder
writes the same few sequences from all places near a small pool, so at every place further sequences are drawn from its
distribution. A tenth of each round is drawn uniformly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from alphaxenas.contracts import SearchSpace, Tokens
from alphaxenas.controllers.history import HistoryStrategy
from alphaxenas.controllers.nao.pool import Member, best, renewed
from alphaxenas.controllers.nao.settings import PRESETS, NAOSettings
from alphaxenas.seeds import stream
from alphaxenas.suggestions import invalid


class NAO(HistoryStrategy):
    """Gradient steps in a continuous space of architectures (`alphaxenas.controllers.promotion.Strategy`).

    Rounds wait for their outcomes: within a round everything may be outstanding at once.

    Args:
        space: Any search space.
        seed: The run's seed.
        preset: One of `nao_settings.PRESETS`; what follows replaces its constants, see `NAOSettings` and `settings_of`.
        pool: Members of the pool; 0 = the preset's.
        tops: Best members that the gradient ascent starts from; 0 = the preset's.
        new: Architectures that a round wants to decode; 0 = the preset's.
        random: Architectures that a round draws uniformly; None = the preset's.
        epochs: Passes over the training part, per round; 0 = the preset's.

    Raises:
        ValueError: An unknown preset, or a value out of its range: a pool of fewer than four cannot train a predictor.

    Attributes:
        settings: Immutable.
        pool: The members, best first.
        model: The network of the latest round that this process fitted; None before.
    """

    def __init__(
        self,
        space: SearchSpace,
        seed: int,
        *,
        preset: str = "small",
        pool: int = 0,
        tops: int = 0,
        new: int = 0,
        random: int | None = None,
        epochs: int = 0,
    ) -> None:
        super().__init__(space, stream(seed, "nao"))
        self.settings = settings_of(preset, pool, tops, new, random, epochs)
        self.pool: list[Member] = []
        self.model: Any = None
        self._sequences: dict[str, Tokens] = {}
        self._encoder: Any = None
        self._arrived: list[str] = []
        self._queue: list[Tokens] = []
        self._to_draw = self.settings.pool
        self._round = 0
        self._numbers: dict[str, float] = {}

    def start(self, tokens: Tokens) -> Tokens | None:
        """A suggestion that comes from outside: a member of the first pool."""
        started = super().start(tokens)
        if started is not None:
            self._sequences[self._history.key(started)] = started
            self._to_draw = max(self._to_draw - 1, 0)
        return started

    def suggest(self) -> Tokens | None:
        """A member of the first pool, or of the next; None when the round's rewards are awaited or every key has been
        suggested.
        """
        history = self._history
        if not self._queue and not self._to_draw:
            if history.outstanding:
                return None
            self._next_round()
        tokens = None
        while self._queue and tokens is None:
            wanted = self._queue.pop(0)
            key = history.key(wanted)
            tokens = history.suggest(wanted, key) if key not in history else None
        if tokens is None:
            tokens = history.draw(self._rng)
            self._to_draw = max(self._to_draw - (tokens is not None), 0) if tokens is not None else 1
        if tokens is not None:
            self._sequences[history.key(tokens)] = tokens
        return tokens

    def observe(self, tokens: Tokens, reward: float | None) -> None:
        """Takes the reward of a suggestion, which enters the pool at the end of the round.

        Args:
            tokens: An outstanding suggestion.
            reward: None if the evaluation failed.
        """
        key = self._history.observe(tokens, reward)
        if reward is not None:
            self._arrived.append(key)

    def learn(self, tokens: Tokens, reward: float) -> None:
        """As `alphaxenas.controllers.promotion.Strategy.learn`: a member of the first pool that need not be drawn.

        Args:
            tokens: A complete sequence.
            reward: At the search budget.
        """
        if self._history.start(tokens) is not None:
            self._sequences[self._history.key(tokens)] = tokens
            self._to_draw = max(self._to_draw - 1, 0)
            self.observe(tokens, reward)

    def diagnostics(self) -> dict[str, float]:
        """Rounds, rewards of the pool, and of the latest round: held-out quality of the network, its losses, and what
        the gradient ascent found.
        """
        rewards = [member.reward for member in self.pool]
        numbers = {"nao/round": float(self._round)}
        if rewards:
            mean = float(np.mean(rewards))
            numbers |= {"nao/pool_mean": mean, "nao/pool_best": rewards[0], "nao/pool_worst": rewards[-1]}
        return numbers | self._numbers

    def status_line(self) -> str:
        """Rewards of the pool, and how well the network ranks what it has not seen."""
        if not self.pool:
            return ""
        rewards = [member.reward for member in self.pool]
        line = f"round {self._round}: pool of {len(rewards)}, mean {np.mean(rewards):.4f}, best {rewards[0]:.4f}"
        accuracy = self._numbers.get("nao/pairwise_accuracy")
        return line if accuracy is None else f"{line}; {accuracy:.0%} of held-out pairs in the right order"

    def state(self) -> dict[str, Any]:
        """Everything needed to go on; the next round's network starts anew, so none is stored."""
        return super().state() | {
            "sequences": [[key, list(map(int, tokens))] for key, tokens in self._sequences.items()],
            "pool": [[member.key, member.reward] for member in self.pool],
            "arrived": list(self._arrived),
            "queue": [list(map(int, tokens)) for tokens in self._queue],
            "to_draw": self._to_draw,
            "round": self._round,
            "numbers": dict(self._numbers),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over a `state()`."""
        super().restore(state)
        self._sequences = {key: tuple(tokens) for key, tokens in state["sequences"]}
        self.pool = [Member(key, self._sequences[key], float(reward)) for key, reward in state["pool"]]
        self._arrived, self._queue = list(state["arrived"]), [tuple(tokens) for tokens in state["queue"]]
        self._to_draw, self._round = int(state["to_draw"]), int(state["round"])
        self._numbers = dict(state["numbers"])

    def _next_round(self) -> None:
        """Renews the pool, and plans what the next round evaluates."""
        settings, rewards = self.settings, self._history.rewards
        rated = [(key, reward) for key in self._arrived if (reward := rewards[key]) is not None]
        arrived = [Member(key, self._sequences[key], reward) for key, reward in rated]
        # Failures and a small space can leave more to arrive than there is room for after a restart with a smaller
        # pool.
        self.pool, self._arrived = renewed(self.pool, best(arrived, settings.pool), settings.pool), []
        self._round += 1
        found: list[Tokens] = []
        if len(self._known()) >= 4 and len({member.reward for member in self.pool}) > 1:
            found = self._ascended()
        self._queue = found
        self._to_draw = settings.random + settings.new - len(found)

    def _known(self) -> list[str]:
        """Keys of the architectures that the network is trained on."""
        if self.settings.memory == "all":
            return [key for key in self._history.rewards if key in self._sequences]
        return [member.key for member in self.pool]

    def _ascended(self) -> list[Tokens]:
        """New sequences, best first, from a network trained on what is known."""
        from alphaxenas.controllers.nao.token_arrays import TokenEncoder
        from alphaxenas.controllers.nao.trajectory import search_round

        settings, rewards = self.settings, self._history.rewards
        self._encoder = self._encoder or TokenEncoder(self._space)
        lowest = min(reward for reward in rewards.values() if reward is not None)
        rated = {key: lowest if (reward := rewards[key]) is None else reward for key in self._known()}
        known = [Member(key, self._sequences[key], reward) for key, reward in rated.items()]
        starts = best(self.pool, settings.tops)
        self.model, found, numbers = search_round(self._encoder, known, starts, settings, self._new_key, self._rng)
        self._numbers = {f"nao/{name}": number for name, number in numbers.items()}
        return found

    def _new_key(self, tokens: Tokens) -> str | None:
        """The key of a sequence that was never suggested; None if it was."""
        key = self._history.key(tokens)
        return None if key in self._history else key


def settings_of(
    preset: str, pool: int = 0, tops: int = 0, new: int = 0, random: int | None = None, epochs: int = 0
) -> NAOSettings:
    """A preset with some of its constants replaced.

    Args:
        preset: As of `NAO`, and so are the others.
        pool: 0 = the preset's.
        tops: 0 = the preset's.
        new: 0 = the preset's.
        random: None = the preset's.
        epochs: 0 = the preset's.

    With another pool, the constants of the preset that do not fit into it are made smaller: `tops` to the pool, `new`
    to half of it.

    Raises:
        ValueError: An unknown preset, or a value out of its range.
    """
    if preset not in PRESETS:
        raise invalid("preset", f"one of {', '.join(PRESETS)}", repr(preset))
    settings = PRESETS[preset]
    size = pool or settings.pool
    tops, new = tops or min(settings.tops, size), new or min(settings.new, max(1, size // 2))
    random = max(0, min(settings.random, size - new)) if random is None else random
    return replace(settings, pool=size, tops=tops, new=new, random=random, epochs=epochs or settings.epochs)
