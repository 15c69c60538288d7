"""AlphaXENAS: every child is planned by tree search inside a belief, guided by an LSTM, and teaches the belief.

Before every child a whole sequence is built, token by token, by a tree search whose simulations end in sequences that
were not trained: what they are worth is what the search believes (`alphaxenas.controllers.surrogate.belief`: a Gaussian
process over the features of architectures, fitted to everything measured). The LSTM learns the belief on thousands of
such sequences, and the moves of the plans (`planner.py`), and guides the next plan. The best new sequence met is
trained, its reward enters the belief, and so on. After every few children the best one that the search chose is
promoted to the final budget, as with all controllers (`alphaxenas.controllers.promotion`), and at the end the belief
chooses among those.

Zero-cost proxies are computed for children alone, not for what a plan imagines: they take part in the choice.

The first child that is not drawn is the architecture that its structure, size and depth, speaks for; a few uniform
draws follow, and from then on the belief decides.

If every child updates the shared weights, preferred architectures are trained more often, score higher because of it,
and are preferred even more (rich-get-richer bias). With `uniform_share` > 0 this share of the children is drawn
uniformly, and only these update the shared weights; every child is then rated from weights that favour none (Guo et al.
2020, "Single path one-shot neural architecture search with uniform sampling"; Chu et al. 2021, "FairNAS"). Their
rewards also show how far the level of all rewards rises with the weights; children of different ages are compared
without that rise (`alphaxenas.controllers.drift`), as they are in promotion.

The original AlphaXENAS, whose simulations train every new sequence that they complete, is `original.py`. Sources:
Silver et al. 2017; Wang et al. 2020, "AlphaX"; Danihelka et al. 2022, "Policy improvement by planning with Gumbel".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from alphaxenas.contracts import Budget, SearchSpace, Tokens
from alphaxenas.controllers.alphaxenas.planner import Planner
from alphaxenas.controllers.alphaxenas.replay import Replay, rank_correlation
from alphaxenas.controllers.alphaxenas.settings import Settings
from alphaxenas.controllers.history import TrialHistory
from alphaxenas.controllers.surrogate.belief import Belief, plain
from alphaxenas.seeds import generator_state, restore_generator, stream

WINDOW = 60
"""Latest outcomes that held-out rank correlations are taken over."""
FEWEST = 5
"""Outcomes before there is a correlation."""
SEARCH, FINAL = Budget(1), Budget(2)
"""What the replay files rewards under: two budgets, whatever they are."""


class AlphaXENAS:
    """Planned search (`alphaxenas.controllers.promotion.Strategy`).

    Args:
        space: Any search space.
        seed: The run's seed.
        rewards_age: Whether children share weights, so that rewards at the search budget rise with time.
        **settings: Fields of `alphaxenas.controllers.alphaxenas.settings.Settings`.

    Raises:
        ValueError: A value out of its range.
    """

    def __init__(self, space: SearchSpace, seed: int, rewards_age: bool = False, **settings: Any) -> None:
        self._settings = chosen = Settings(**settings)
        self._rng = stream(seed, "alphaxenas")
        self._seen, space = space, plain(space)
        self._history = TrialHistory(space)
        self._replay = Replay(chosen.replay_capacity, space.max_length, len(space.vocabulary), rewards_age)
        self._belief = self._new_belief()
        network = None
        if chosen.prior == "lstm":
            # The one import of TensorFlow among the controllers waits until a controller is made.
            from alphaxenas.controllers.alphaxenas.network import PolicyValueLSTM

            network = PolicyValueLSTM(
                len(space.vocabulary),
                space.max_length,
                chosen.lstm_units,
                chosen.lstm_learning_rate,
                chosen.lstm_batch_size,
                chosen.lstm_steps,
                seed=seed,
            )
        self._planner = Planner(space, self._history, self._belief, chosen, network, self._rng)
        self._suggested: dict[str, Tokens] = {}
        self._uniform: set[str] = set()
        self._age = 0
        self._expected: dict[Tokens, list[float]] = {}
        self._quality: list[list[float]] = []

    def start(self, tokens: Tokens) -> Tokens | None:
        """A suggestion that comes from outside."""
        return self._noted(self._history.start(tokens), self._believe())

    def suggest(self) -> Tokens | None:
        """The best architecture of a new plan; None when every key has been suggested."""
        believes, history = self._believe(), self._history
        nothing_planned = len(self._suggested) == len(self._uniform)
        if believes or (nothing_planned and self._belief.prior.knows_structure):
            tokens = self._planner.plan(self._suggested.values())
            if tokens is not None:
                return self._noted(history.suggest(tokens, history.key(tokens)), believes)
        return self._noted(history.draw(self._rng), believes)

    def draw(self) -> Tokens | None:
        """A suggestion drawn uniformly; shared weights are trained by such children alone, where there are any."""
        believes = self._believe()
        tokens = self._noted(self._history.draw(self._rng), believes)
        if tokens is not None:
            self._uniform.add(self._history.key(tokens))
        return tokens

    def _believe(self) -> bool:
        """Fits the belief to everything measured, once that is enough; returns whether it is."""
        known, promoted = self._measured()
        if len(self._history) < self._settings.initial_children or len(set(known.values())) < 2:
            return False
        self._belief.fit(known, list(self._history.outstanding), promoted)
        return True

    def _new_belief(self) -> Belief:
        chosen = self._settings
        trust = chosen.reward_trust if chosen.search_children else None
        return Belief(self._seen, chosen.uncertainty, chosen.free_features, trust)

    def _measured(self) -> tuple[dict[Tokens, float], dict[Tokens, float]]:
        """Present rewards at the search budget and at the final budget."""
        rewards = (self._replay.present_rewards(budget) for budget in (SEARCH, FINAL))
        known, final = ({self._suggested[key]: found[key] for key in found} for found in rewards)
        return known, final

    def quality(self, sequences: Sequence[Tokens]) -> np.ndarray | None:
        """As `alphaxenas.contracts.Controller.quality`, by a belief fitted anew: asking changes nothing."""
        known, final = self._measured()
        return self._new_belief().judged(sequences, known, final)

    def _noted(self, tokens: Tokens | None, believes: bool) -> Tokens | None:
        """A suggestion, stored with what is believed of it."""
        if tokens is not None:
            self._suggested[self._history.key(tokens)] = tokens
            features = self._belief.features(tokens)[None]
            self._belief.prior.full([tokens], features)  # scores the child by the proxies, for the records
            if believes:
                mean, _ = self._belief.predict([tokens], features)
                free = float(self._belief.prior.structure(features)[0])
                self._expected[tokens] = [float(mean[0]), self._planner.predicted(tokens), free]
        return tokens

    def observe(self, tokens: Tokens, reward: float | None) -> None:
        """Takes the reward of a suggestion.

        Args:
            tokens: An outstanding suggestion.
            reward: None if the evaluation failed.
        """
        key = self._history.observe(tokens, reward)
        self._replay.add(
            key, tokens, SEARCH, reward or 0.0, self._age, failed=reward is None, uniform=key in self._uniform
        )
        self._age += not self._uniform or key in self._uniform
        expected = self._expected.pop(tokens, None)
        if expected is not None and reward is not None:
            self._quality.append([*expected, reward])
            del self._quality[:-WINDOW]

    def learn(self, tokens: Tokens, reward: float) -> None:
        """As `alphaxenas.controllers.promotion.Strategy.learn`; shared weights have not learned from it.

        Args:
            tokens: A complete sequence.
            reward: At the search budget.
        """
        if self._history.start(tokens) is not None:
            self._noted(tokens, believes=False)
            age = self._age
            self.observe(tokens, reward)
            self._age = age

    def observe_final(self, tokens: Tokens, reward: float | None) -> None:
        """Takes the reward of a promoted child, at the final budget.

        Args:
            tokens: What was promoted.
            reward: None if the evaluation failed.
        """
        if reward is not None:
            self._replay.add(self._history.key(tokens), tokens, FINAL, reward, self._age)

    def diagnostics(self) -> dict[str, float]:
        """Size of the tree, losses, and held-out rank correlations: of the belief, of the LSTM and of the free features
        with rewards at the search budget, and of those rewards with rewards at the final budget.
        """
        numbers = self._planner.diagnostics()
        rated, final = self._replay.present_rewards(SEARCH), self._replay.present_rewards(FINAL)
        columns = list(zip(*self._quality)) or [()] * 4
        pairs = [(rated[key], reward) for key, reward in final.items() if key in rated]
        for name, predicted, rewards in (
            ("belief", columns[0], columns[3]),
            ("lstm", columns[1] if self._planner.network is not None else (), columns[3]),
            ("free", columns[2] if self._belief.prior.knows_structure else (), columns[3]),
            ("promotion", *(list(zip(*pairs)) or ((), ()))),
        ):
            if len(predicted) >= FEWEST and np.isfinite(correlation := rank_correlation(predicted, rewards)):
                numbers[f"{name}/rank_correlation"] = correlation
        return numbers

    def status_line(self) -> str:
        """How well the belief has ranked what it was not fitted to."""
        found = self.diagnostics().get("belief/rank_correlation")
        return "" if found is None else f"belief and outcomes correlate by {found:.2f}"

    def tree_snapshot(self) -> dict[str, np.ndarray] | None:
        """The tree of the latest plan, None without one: 0 is the median value of what was known, 1 the best."""
        snapshot = self._planner.tree.snapshot()
        return snapshot if len(snapshot["parent"]) else None

    def state(self) -> dict[str, Any]:
        """Everything needed to go on."""
        return {
            "generator": generator_state(self._rng),
            "history": self._history.state(),
            "replay": self._replay.state(),
            "belief": self._belief.state(),
            "planner": self._planner.state(),
            "suggested": [[key, [int(token) for token in tokens]] for key, tokens in self._suggested.items()],
            "uniform": sorted(self._uniform),
            "age": self._age,
            "expected": [[[int(token) for token in tokens], *row] for tokens, row in self._expected.items()],
            "quality": [list(row) for row in self._quality],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over a `state()`."""
        restore_generator(self._rng, state["generator"])
        self._history.restore(state["history"])
        self._replay.restore(state["replay"])
        self._belief.restore(state["belief"])
        self._suggested = {key: tuple(map(int, tokens)) for key, tokens in state["suggested"]}
        self._uniform = set(state["uniform"])
        self._age = int(state["age"])
        self._expected = {tuple(map(int, tokens)): list(row) for tokens, *row in state["expected"]}
        self._quality = [list(row) for row in state["quality"]]
        self._planner.restore(state["planner"])
