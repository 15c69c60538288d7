"""GuidedSearch: a surrogate with uncertainty chooses what is evaluated next.

Evaluations are expensive; surrogate predictions are almost free. Before every evaluation the surrogate is fitted to
everything measured. In a small space the new architecture of largest expected improvement is evaluated (Jones et al.
1998, "Efficient global optimization of expensive black-box functions"):

    E[max(f - f*, 0)],      f ~ N(mean, (uncertainty * deviation)^2),  f* = the largest mean of a measured architecture

A large space is never looked at as a whole: a tree search is played inside the surrogate, a new tree, `simulations`
walks by PUCT, each played on to a complete sequence whose value is

    mean + 2 * uncertainty * deviation                   (upper confidence bound; Srinivas et al. 2010, "GP-UCB")

and the best new sequence that it met, after climbing from it along single changes, is evaluated.

- The first suggestions are large and deep architectures, or those that proxies rate high, not random ones: a random
  one tells little of where the best are (`Promising` in `candidate_pool.py`; random where no feature says anything).
- Walks start from what is known: sequences that earlier plans met are valued anew, the best of them (`ELITE`) give the
  tree's priors (the share that took each action, half and half with a uniform one) and lead the rollouts, which follow
  one of them and deviate now and then.
- Rewards are transformed before they are fitted, `-log((best - reward) / spread + 0.6)`: what separates good
  architectures from the best is stretched, what separates bad ones is not worth modelling.
- Suggestions that are still outstanding count as measured at their predicted mean (Ginsbourger et al. 2010, "kriging
  believer"), so that several can be asked for at once.
- Failed and missing architectures count as the lowest reward seen: the plan leaves their neighbourhood.

Of more than 1,000 measured architectures the surrogate sees the best 500 and the latest 500, whatever a run's length.

Zero-cost knowledge (parameters, depth) enters through `space.features`; no accuracy does that was not paid for.
`without="flow"` hides it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from alphaxenas.contracts import SearchSpace, Tokens
from alphaxenas.controllers.alphaxenas.replay import rank_correlation
from alphaxenas.controllers.history import HistoryStrategy
from alphaxenas.controllers.mcts.selection import PUCT
from alphaxenas.controllers.mcts.tree import Prediction, Tree
from alphaxenas.controllers.surrogate.acquisition import RewardTransform, best_and_latest, log_improvement
from alphaxenas.controllers.surrogate.alternatives import SURROGATES, Surrogate, make_surrogate
from alphaxenas.controllers.surrogate.belief import TRUST, Belief
from alphaxenas.controllers.surrogate.candidate_pool import CandidatePool, Promising, every_architecture, is_small
from alphaxenas.seeds import generator_state, restore_generator, stream

ELITE = 48
"""Best sequences of the memory that give the priors and lead the rollouts."""
CANDIDATES = 1200
"""Sequences kept from plan to plan."""
DEVIATION, BATCH = 0.15, 32
"""Chance that a rollout leaves the sequence it follows, per move; walks whose sequences are predicted together."""
PROMISING, CLIMBS = 3, 3
"""Promising architectures before the first plan; best new sequences from which a plan climbs to the top."""
WINDOW = 60
"""Latest outcomes over which the surrogate's quality is measured."""
PLANS = ("auto", "tree", "rollouts", "enumerate")
PRIORS = ("elite", "uniform")


class GuidedSearch(HistoryStrategy):
    """Plans by tree search over a surrogate (`alphaxenas.controllers.promotion.Strategy`).

    Args:
        space: Any search space.
        seed: The run's seed.
        surrogate: One of `surrogates.SURROGATES`; `"none"` predicts from the rewards below the longest known prefix
            alone.
        plan: `"tree"`; `"rollouts"` = the same number of rollouts from the empty prefix, without a tree;
            `"enumerate"` = predict the whole space; `"auto"` = that with a Gaussian process in a space of at most
            40,000 sequences without proxies, and a tree elsewhere.
        prior: `"elite"` or `"uniform"` (flat: tree and rollouts know nothing of earlier plans).
        uncertainty: Factor of all deviations, >= 0; 0 takes the best mean.
        simulations: Walks per plan, >= 1.
        initial: Architectures before the first plan, >= 2; at most `PROMISING` where features or a trusted prior tell
            promising ones.
        without: Groups of features that neither the Gaussian process nor the first suggestions see, with `+` between
            them: `"flow"` holds size and depth.
        exploration: c of PUCT, >= 0; values are scaled to [0, 1].
        reward_trust: Where children are promoted: how far rewards at the search budget tell what is looked for, in
            [0, 1]; see `alphaxenas.controllers.surrogate.belief`.

    Raises:
        ValueError: A value out of its range.
    """

    def __init__(
        self,
        space: SearchSpace,
        seed: int,
        *,
        surrogate: str = "gp",
        plan: str = "auto",
        prior: str = "elite",
        uncertainty: float = 1.0,
        simulations: int = 192,
        initial: int = 8,
        without: str = "",
        exploration: float = 1.0,
        reward_trust: float = TRUST,
    ) -> None:
        for name, value, holds, expected in (
            ("surrogate", surrogate, surrogate in SURROGATES, f"one of {', '.join(SURROGATES)}"),
            ("plan", plan, plan in PLANS, f"one of {', '.join(PLANS)}"),
            ("prior", prior, prior in PRIORS, f"one of {', '.join(PRIORS)}"),
            ("uncertainty", uncertainty, uncertainty >= 0, "a number >= 0"),
            ("simulations", simulations, simulations >= 1, "a whole number >= 1"),
            ("initial", initial, initial >= 2, "a whole number >= 2"),
            ("reward_trust", reward_trust, 0 <= reward_trust <= 1, "a number in [0, 1]"),
        ):
            if not holds:
                raise ValueError(f"Invalid value for `{name}`. Expected {expected}. Received: {value!r}")
        if plan == "auto":
            plan = "enumerate" if surrogate == "gp" and is_small(space) else "tree"
        super().__init__(space, stream(seed, "guided"))
        self._plan, self._prior = plan, prior
        hidden = tuple(filter(None, without.split("+")))
        self._promising = Promising(space, plan == "enumerate", hidden)
        self._structure = "flow" not in hidden
        self._initial = int(initial)
        self._uncertainty, self._simulations, self._trust = float(uncertainty), int(simulations), float(reward_trust)
        self._surrogate: Surrogate = make_surrogate(surrogate, space, seed, hidden)
        self._tree = Tree(space.legal_actions, self._predict, PUCT(exploration))
        self._memory = CandidatePool(space, self._history)
        self._evaluated: dict[str, tuple[Tokens, np.ndarray]] = {}
        self._finals: dict[Tokens, float] = {}
        self._expected: dict[Tokens, tuple[float, float]] = {}
        self._quality: list[list[float]] = []
        self._elite, self._followers = list[Tokens](), dict[Tokens, dict[int, int]]()
        self._middle, self._incumbent, self._transform = 0.0, 0.0, RewardTransform(np.zeros(1))

    def tree_snapshot(self) -> dict[str, np.ndarray] | None:
        """The tree of the latest plan, whose values are upper confidence bounds in transformed rewards."""
        return self._tree.snapshot() if self._plan == "tree" else None

    # --- Strategy ----------------------------------------------------------------------------------------------------

    def start(self, tokens: Tokens) -> Tokens | None:
        """A suggestion that comes from outside."""
        return self._noted(self._history.start(tokens))

    def suggest(self) -> Tokens | None:
        """The best architecture of a new plan; None when every key has been suggested."""
        rewards = [reward for reward in self._history.rewards.values() if reward is not None]
        known = self._promising.known(self._history.prior)
        if len(self._history) < (min(self._initial, PROMISING) if known else self._initial) or len(set(rewards)) < 2:
            tokens = self._promising.suggest(self._history, self._rng) or self._history.draw(self._rng)
        else:
            self._fit()
            tokens = self._planned()
            if tokens is None:
                tokens = self._history.draw(self._rng)
            else:
                self._history.suggest(tokens, self._history.key(tokens))
                mean, deviation = self._surrogate.predict([tokens], self._memory.features_of(tokens)[None])
                self._expected[tokens] = float(mean[0]), float(np.hypot(deviation[0], self._surrogate.noise()))
        return self._noted(tokens)

    def _noted(self, tokens: Tokens | None) -> Tokens | None:
        if tokens is not None:
            self._evaluated[self._history.key(tokens)] = tokens, self._memory.features_of(tokens)
        return tokens

    def observe(self, tokens: Tokens, reward: float | None) -> None:
        """Takes the reward of a suggestion.

        Args:
            tokens: An outstanding suggestion.
            reward: None if the evaluation failed.
        """
        expected = self._expected.pop(tokens, None)
        self._history.observe(tokens, reward)
        if expected is not None and reward is not None:
            mean, deviation = expected
            self._quality.append([self._transform.inverse(mean), reward, (self._transform(reward) - mean) / deviation])
            del self._quality[:-WINDOW]

    def observe_final(self, tokens: Tokens, reward: float | None) -> None:
        """Takes the reward of a promoted child; no plan depends on it.

        Args:
            tokens: What was promoted.
            reward: None if the evaluation failed.
        """
        if reward is not None:
            self._finals[tokens] = reward

    def quality(self, sequences: Sequence[Tokens]) -> np.ndarray | None:
        """As `alphaxenas.contracts.Controller.quality`."""
        rated = {tokens: self._history.rewards.get(key) for key, (tokens, _) in self._evaluated.items()}
        known = {one: reward for one in best_and_latest(rated) if (reward := rated[one]) is not None}
        belief = Belief(self._space, self._uncertainty, self._structure, self._trust if self._finals else None)
        return belief.judged(sequences, known, self._finals)

    def diagnostics(self) -> dict[str, float]:
        """Held-out quality over the latest outcomes: rank correlation, and the share within 1.96 deviations (0.95 =
        calibrated).
        """
        numbers = {"guided/remembered": float(len(self._memory))}
        if len(self._quality) >= 5:
            predicted, rewards, away = zip(*self._quality)
            correlation = rank_correlation(predicted, rewards)
            numbers["guided/coverage"] = float(np.mean(np.abs(away) < 1.96))
            if np.isfinite(correlation):
                numbers["guided/rank_correlation"] = correlation
        return numbers

    def status_line(self) -> str:
        """What comes next, as the surrogate sees it now."""
        best = next((tokens for tokens in self._elite if self._history.key(tokens) not in self._history), None)
        return "" if best is None else f"would try {self._space.decode(best)}"

    def state(self) -> dict[str, Any]:
        """Everything needed to go on; trees and factorisations follow from it."""
        return {
            "generator": generator_state(self._rng),
            "history": self._history.state(),
            "surrogate": self._surrogate.state(),
            "measured": [[key, list(map(int, tokens))] for key, (tokens, _) in self._evaluated.items()],
            "memory": self._memory.state(),
            "finals": [[list(map(int, tokens)), reward] for tokens, reward in self._finals.items()],
            "expected": [[list(map(int, tokens)), *pair] for tokens, pair in self._expected.items()],
            "quality": [list(map(float, row)) for row in self._quality],
            "transform": self._transform.state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over a `state()`."""
        restore_generator(self._rng, state["generator"])
        self._history.restore(state["history"])
        self._surrogate.restore(state["surrogate"])
        self._memory.restore(state["memory"])
        self._evaluated = {
            key: (tuple(tokens), self._memory.features_of(tuple(tokens))) for key, tokens in state["measured"]
        }
        self._finals = {tuple(tokens): reward for tokens, reward in state["finals"]}
        self._expected = {tuple(tokens): (mean, deviation) for tokens, mean, deviation in state["expected"]}
        self._quality = [list(row) for row in state["quality"]]
        self._transform = RewardTransform.restored(state["transform"])

    # --- the surrogate -----------------------------------------------------------------------------------------------

    def _fit(self) -> None:
        """Fits the surrogate to what is measured, and to what is outstanding at its predicted mean."""
        rewards = self._history.rewards
        known = best_and_latest({key: rewards[key] for key in self._evaluated if key in rewards})
        awaited = [key for key in self._evaluated if key not in rewards]
        lowest = min(reward for reward in rewards.values() if reward is not None)
        values = np.array([lowest if rewards[key] is None else rewards[key] for key in known], np.float64)
        self._transform, self._fitted_to = RewardTransform(values), {*known, *awaited}
        values = self._transform(values)
        self._surrogate.fit(*self._arrays(known), values)
        self._incumbent = float(self._surrogate.predict(*self._arrays(known))[0].max())
        if awaited:
            means, _ = self._surrogate.predict(*self._arrays(awaited))
            self._surrogate.condition(*self._arrays([*known, *awaited]), np.concatenate([values, means]))

    def _arrays(self, keys: list[str]) -> tuple[list[Tokens], np.ndarray]:
        sequences, features = zip(*(self._evaluated[key] for key in keys))
        return list(sequences), np.stack(features)

    def _bounds(self, sequences: list[Tokens], features: np.ndarray) -> np.ndarray:
        """Upper confidence bounds, `[m]`, with the user's prior."""
        mean, deviation = self._surrogate.predict(sequences, features)
        return mean + 2.0 * self._uncertainty * deviation + self._history.prior.preference(sequences)

    def _improvement(self, sequences: list[Tokens], features: np.ndarray) -> np.ndarray:
        """Logarithm of the expected improvement, `[m]`, with the user's prior."""
        mean, deviation = self._surrogate.predict(sequences, features)
        improvement = log_improvement(mean - self._incumbent, self._uncertainty * deviation)
        return improvement + self._history.prior.preference(sequences)

    # --- the plan ----------------------------------------------------------------------------------------------------

    def _planned(self) -> Tokens | None:
        """The best new sequence that the plan met; None if it met no new one."""
        memory = self._memory
        if self._plan == "enumerate":
            every = every_architecture(self._space)  # type: ignore[arg-type]
            values = self._improvement(every.sequences, every.features)
            values[[every.place[key] for key in self._evaluated if key in every.place]] = -np.inf
            self._elite = [
                every.sequences[row] for row in np.argsort(-values, kind="stable")[:2] if values[row] > -np.inf
            ]
            return next(iter(self._elite), None)
        memory.add(tokens for key, (tokens, _) in self._evaluated.items() if key in self._fitted_to)
        memory.value(self._bounds)
        self._remember_elite()
        if self._plan == "tree":
            self._grow_tree()
        else:
            for _ in range(0, self._simulations, BATCH):
                memory.add_valued([self._rollout(()) for _ in range(BATCH)], self._bounds)
        memory.climb(CLIMBS, self._bounds)
        best = memory.best_new()
        memory.forget(CANDIDATES)
        return best

    def _remember_elite(self) -> None:
        """The best sequences of the memory, and how many of them take which action after every prefix."""
        self._elite, self._followers = self._memory.best(ELITE), {}
        self._middle = self._memory.median()
        for tokens in self._elite if self._prior == "elite" else ():
            for place, token in enumerate(tokens):
                row = self._followers.setdefault(tokens[:place], {})
                row[token] = row.get(token, 0) + 1

    def _grow_tree(self) -> None:
        tree = self._tree
        tree.reset()
        made = 0
        while made < self._simulations:
            leaves = []
            for _ in range(min(BATCH, self._simulations - made)):
                leaf = tree.select_and_expand()
                if leaf is None:
                    break
                leaves.append(leaf)
            if not leaves:
                return
            sequences = [leaf.tokens if leaf.complete else self._rollout(leaf.tokens) for leaf in leaves]
            for leaf, value in zip(leaves, self._memory.add_valued(sequences, self._bounds)):
                tree.backup(leaf, value, solved=leaf.complete)
            made += len(leaves)

    def _predict(self, prefix: Tokens, actions: Tokens) -> Prediction:
        """Priors of the tree: half the user's, uniform where there is none, half the shares of the elite."""
        chances, row = self._history.prior.chances(actions).tolist(), self._followers.get(prefix)
        if row is None:
            return Prediction(chances, self._middle)
        total = sum(row.values())
        shares = [0.5 * chance + 0.5 * row.get(action, 0) / total for chance, action in zip(chances, actions)]
        return Prediction(shares, self._middle)

    def _rollout(self, tokens: Tokens) -> Tokens:
        """A complete sequence from a prefix, along one of the elite with deviations."""
        rng, legal_actions = self._rng, self._space.legal_actions
        led = self._prior == "elite" and self._elite
        leader: Tokens = self._elite[int(len(self._elite) * rng.random() ** 2)] if led else ()
        while actions := legal_actions(tokens):
            place = len(tokens)
            if place < len(leader) and leader[place] in actions and rng.random() >= DEVIATION:
                tokens = (*tokens, leader[place])
            else:
                tokens = (*tokens, self._history.prior.choose(actions, rng))
        return tokens
