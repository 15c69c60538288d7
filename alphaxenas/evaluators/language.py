"""The evaluator of recurrent cells: trains a language model around the cell and rewards a low perplexity.

From scratch, every child starts from initial values that depend on the seed alone. With shared weights, all children
move one set of weights, one matrix for each node, input and activation; the weights are first trained with a cell drawn
uniformly for every window (Pham et al. 2018 draw from the policy, which is not trained yet), so that the first rating
is already one of trained weights. Either way the whole validation text is scored, every word once.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from alphaxenas.contracts import Outcome, Proposal
from alphaxenas.data.text import TextData, streams
from alphaxenas.evaluators.trained import DivergedError
from alphaxenas.networks.language.cores import CellCore, SharedCellCore
from alphaxenas.networks.language.fit import TextReader, train_shared, train_windows
from alphaxenas.networks.language.model import LanguageModel, perplexity, reward_of_loss
from alphaxenas.networks.language.recipe import LanguageRecipe
from alphaxenas.seeds import stream
from alphaxenas.spaces.recurrent import RecurrentSpace


class LanguageEvaluator:
    """Rates recurrent cells on a text; see `contracts.Evaluator`.

    Args:
        space: Decodes the proposals' tokens.
        data: Training and validation part; the test part is never read.
        recipe: How children are trained; the learning rate of every evaluation falls to 0 where the recipe says so.
        units: Numbers in a state.
        seed: The run's seed.
        share_weights: Whether the children of the search share weights. Proposals of purpose `"final"` are trained from
            scratch in either case.
        warmup_epochs: Passes over the text that train the shared weights before the first child.
    """

    def __init__(
        self,
        space: RecurrentSpace,
        data: TextData,
        recipe: LanguageRecipe,
        units: int,
        seed: int,
        share_weights: bool = False,
        warmup_epochs: float = 1.0,
    ) -> None:
        self._space, self._data, self._recipe, self._units, self._seed = space, data, recipe, units, seed
        self._reader = TextReader(streams(data.train, recipe.batch_size), recipe.window)
        self._warmup = warmup_epochs
        self._shared: LanguageModel | None = None
        self._position = 0
        if share_weights:
            self._core = SharedCellCore(space.nodes, units)
            self._shared = LanguageModel(self._core, len(data.vocabulary), recipe, seed)

    def evaluate(self, proposal: Proposal) -> Outcome:
        """Trains and scores one cell.

        Returns:
            The outcome; `metrics` holds `loss` (training, nats), `perplexity` (validation), `parameters` and `words`
            trained on. A child whose loss is not finite has status `"failed"` and leaves the shared weights as they
            were.
        """
        begin, cell = time.perf_counter(), self._space.decode(proposal.tokens)
        steps = round(proposal.budget.epochs * proposal.budget.fraction * self._reader.windows)
        metrics: dict[str, float] = {"words": float(steps * self._recipe.window * self._recipe.batch_size)}
        before: Any = None
        try:
            if self._shared is not None and self.shares(proposal):
                self._warm_up(self._shared)
                before = self._shared.state()
                loss = self._train(self._shared, steps, self._position, metrics, self._core.describe(cell))
                if proposal.updates_shared_weights:
                    self._position += steps
                else:
                    self._shared.restore(before)
            else:
                model = LanguageModel(CellCore(cell, self._units), len(self._data.vocabulary), self._recipe, self._seed)
                metrics["parameters"] = model.parameters
                loss = self._train(model, steps, 0, metrics)
        except DivergedError as error:
            if before is not None and self._shared is not None:
                self._shared.restore(before)
            return Outcome(proposal, 0.0, "failed", metrics, time.perf_counter() - begin, f"DivergedError: {error}")
        metrics["perplexity"] = perplexity(loss)
        reward = reward_of_loss(loss, len(self._data.vocabulary))
        return Outcome(proposal, reward, "ok", metrics, time.perf_counter() - begin)

    def shares(self, proposal: Proposal) -> bool:
        """Whether the child starts from the shared weights."""
        return self._shared is not None and proposal.purpose != "final"

    def state(self) -> dict[str, Any]:
        """The shared weights and how far the text was read; nothing for children from scratch."""
        return {} if self._shared is None else {"weights": self._shared.state(), "position": self._position}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over a `state()`."""
        if self._shared is not None:
            self._shared.restore(state["weights"])
            self._position = int(state["position"])

    def _train(self, model: LanguageModel, steps: int, start: int, metrics: dict[str, float], cell: Any = ()) -> float:
        """Trains for some windows; the loss on the whole validation text."""
        if steps:
            metrics["loss"], _ = train_windows(
                model,
                self._reader,
                start,
                start + steps,
                lambda number: self._recipe.rate_at((number - start) / steps),
                cell=cell,
            )
        return model.loss(self._data.validation, cell)

    def _warm_up(self, model: LanguageModel) -> None:
        """Trains the shared weights before the first child, a fresh cell for every window."""
        steps = round(self._warmup * self._reader.windows)
        if self._position or not steps:
            return
        rng = stream(self._seed, "language", "warm-up")
        cells = (self._core.describe(self._space.sample(rng)) for _ in range(steps))
        train_shared(model, self._reader, 0, cells, lambda number: self._recipe.rate_at(number / steps))
        self._position = steps
