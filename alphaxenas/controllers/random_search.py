"""Random search with the same two budgets as AlphaXENAS: many children trained briefly, the best of each round longer.

A round draws architectures uniformly, never one twice (equal keys count as one), scores them at the search budget, and
proposes the one with the highest reward again at the final budget. That is what one AlphaXENAS iteration spends; only
the choice of what to try differs, so that a difference between the two is a difference in choosing.

Source: Li & Talwalkar 2019, "Random search and reproducibility for neural architecture search"; the two budgets are one
round of successive halving (Jamieson & Talwalkar 2016).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from alphaxenas.contracts import Budget, Outcome, Proposal, SearchSpace, Tokens
from alphaxenas.seeds import generator_state, restore_generator, stream

PATIENCE = 1000
"""Draws in a row that may meet known keys before the games that are left are counted out instead."""


@dataclass
class _Search:
    """A search child of the current round; `reward` is None until its outcome arrives or if the evaluation failed."""

    number: int
    tokens: Tokens
    told: bool = False
    reward: float | None = None


class RandomSearch:
    """Uniform random search in rounds (`alphaxenas.contracts.Controller`).

    All search children of a round may be outstanding at once. Its final waits for their outcomes; the next round's
    search children do not wait for the final. What is proposed never depends on the order in which outcomes arrive.
    """

    def __init__(
        self, space: SearchSpace, search_budget: Budget, final_budget: Budget, searches_per_final: int, seed: int
    ) -> None:
        """Starts with nothing tried.

        Args:
            space: Any search space.
            search_budget: What each drawn architecture is evaluated with.
            final_budget: What the best of each round is evaluated with.
            searches_per_final: Drawn architectures per round, >= 1.
            seed: The run's seed.

        Raises:
            ValueError: `searches_per_final` is not a whole number >= 1.
        """
        if isinstance(searches_per_final, bool) or not isinstance(searches_per_final, int) or searches_per_final < 1:
            raise ValueError(
                "Invalid value for `searches_per_final`. Expected a whole number >= 1. "
                f"Received: {searches_per_final!r}"
            )
        self._space = space
        self._budgets = {"search": search_budget, "final": final_budget}
        self._searches_per_final = searches_per_final
        self._rng = stream(seed, "random_search")
        self._proposed = 0
        self._rounds = 0
        self._drawn: set[str] = set()
        self._scarce = False
        self._left: list[tuple[Tokens, str]] | None = None
        self._round: list[_Search] = []
        self._finals: dict[int, Tokens] = {}
        self._best: dict[str, tuple[float, Tokens]] = {}
        self._count = {"search": 0, "final": 0, "failed": 0}

    def ask(self) -> Proposal | None:
        """The next proposal; None while a round's outcomes are awaited, or for good when every key has been drawn."""
        tokens = self._draw() if len(self._round) < self._searches_per_final else None
        if tokens is not None:
            proposal = self._propose(tokens, "search")
            self._round.append(_Search(proposal.number, tokens))
            return proposal
        if not self._round or not all(search.told for search in self._round):
            return None
        scored = [search for search in self._round if search.reward is not None]
        self._round = []
        self._rounds += 1
        if not scored:
            # Every child of the round failed: nothing deserves the final budget, so the next round begins.
            return self.ask()
        best = max(scored, key=lambda search: (search.reward, -search.number))
        proposal = self._propose(best.tokens, "final")
        self._finals[proposal.number] = best.tokens
        return proposal

    def tell(self, outcome: Outcome) -> None:
        """Takes an outcome.

        Raises:
            ValueError: The outcome belongs to no outstanding proposal.
        """
        number, reward = outcome.proposal.number, float(outcome.reward)
        searches = {search.number: search for search in self._round if not search.told}
        if number in searches and outcome.proposal.tokens == searches[number].tokens:
            searches[number].told = True
            searches[number].reward = reward if outcome.status == "ok" else None
            purpose = "search"
        elif number in self._finals and outcome.proposal.tokens == self._finals[number]:
            del self._finals[number]
            purpose = "final"
        else:
            raise ValueError(
                f"Invalid value for `outcome`. Expected the outcome of one of the outstanding proposals "
                f"{sorted([*searches, *self._finals])}. Received: proposal {number}, tokens {outcome.proposal.tokens}"
            )
        self._count[purpose] += 1
        if outcome.status != "ok":
            self._count["failed"] += 1
        elif purpose not in self._best or reward > self._best[purpose][0]:
            self._best[purpose] = (reward, outcome.proposal.tokens)

    def diagnostics(self) -> dict[str, float]:
        """How much was tried, and the best reward at either budget once there is one."""
        numbers = {
            "random_search/rounds": float(self._rounds),
            "random_search/search_children": float(self._count["search"]),
            "random_search/final_children": float(self._count["final"]),
            "random_search/failed": float(self._count["failed"]),
        }
        return numbers | {f"random_search/best_{purpose}": reward for purpose, (reward, _) in self._best.items()}

    def beliefs(self) -> str:
        """One line: the best so far at the dearer budget seen."""
        for purpose in ("final", "search"):
            if purpose in self._best:
                reward, tokens = self._best[purpose]
                text = str(self._space.decode(tokens))
                return f"best of {self._count[purpose]} at the {purpose} budget: {reward:.4f} by {text}"
        return "nothing evaluated yet"

    def state(self) -> dict[str, Any]:
        """Everything needed to go on, as JSON values."""
        return {
            "generator": generator_state(self._rng),
            "proposed": self._proposed,
            "rounds": self._rounds,
            "drawn": sorted(self._drawn),
            "scarce": self._scarce,
            "round": [
                {"number": s.number, "tokens": _plain(s.tokens), "told": s.told, "reward": s.reward}
                for s in self._round
            ],
            "finals": [{"number": number, "tokens": _plain(tokens)} for number, tokens in self._finals.items()],
            "best": {
                purpose: {"reward": reward, "tokens": _plain(tokens)} for purpose, (reward, tokens) in self._best.items()
            },
            "count": dict(self._count),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over a `state()`; outstanding proposals stay outstanding."""
        restore_generator(self._rng, state["generator"])
        self._proposed = int(state["proposed"])
        self._rounds = int(state["rounds"])
        self._drawn = set(state["drawn"])
        self._scarce = bool(state["scarce"])
        self._left = None
        self._round = [_Search(s["number"], tuple(s["tokens"]), s["told"], s["reward"]) for s in state["round"]]
        self._finals = {final["number"]: tuple(final["tokens"]) for final in state["finals"]}
        self._best = {purpose: (best["reward"], tuple(best["tokens"])) for purpose, best in state["best"].items()}
        self._count = dict(state["count"])

    def _propose(self, tokens: Tokens, purpose: str) -> Proposal:
        """The next proposal by number."""
        proposal = Proposal(self._proposed, tokens, self._budgets[purpose], purpose)
        self._proposed += 1
        return proposal

    def _draw(self) -> Tokens | None:
        """A complete game drawn uniformly among those whose key is new; None when there is none left."""
        for _ in range(0 if self._scarce else PATIENCE):
            architecture = self._space.sample(self._rng)
            key = self._space.key(architecture)
            if key not in self._drawn:
                self._drawn.add(key)
                return self._space.encode(architecture)
        self._scarce = True
        games = self._left
        if games is None:
            games = [(tokens, self._space.key(self._space.decode(tokens))) for tokens in complete_games(self._space)]
        # The list is only a cache: it follows from the space and the drawn keys, so it need not be in the state.
        self._left = games = [(tokens, key) for tokens, key in games if key not in self._drawn]
        if not games:
            return None
        tokens, key = games[self._rng.integers(len(games))]
        self._drawn.add(key)
        return tokens


def complete_games(space: SearchSpace) -> Iterator[Tokens]:
    """Every complete game of a (small) space, in ascending order of tokens."""
    unfinished: list[Tokens] = [()]
    while unfinished:
        tokens = unfinished.pop()
        actions = space.legal_actions(tokens)
        if not actions:
            yield tokens
        unfinished += [(*tokens, action) for action in reversed(actions)]


def _plain(tokens: Tokens) -> list[int]:
    """Tokens as JSON values."""
    return [int(token) for token in tokens]
