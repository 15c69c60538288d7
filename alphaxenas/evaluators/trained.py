"""Evaluators that train a child and measure its accuracy on the validation images.

With shared weights a child starts from what the children before it left in the bank and returns what it learned; from
scratch it starts from its initial values, which depend on the run's seed alone. Accuracies with shared weights rank the
children of one search, but say how well its weights are trained as much as how good an architecture is: between
searches they cannot be compared. What is promoted to the final budget is therefore trained from scratch unless one asks
otherwise. The learning rate of every evaluation follows one cosine down to zero, so that rewards of one budget are
comparable.
"""

from __future__ import annotations

import gc
import itertools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import tensorflow as tf

from alphaxenas.contracts import Outcome, Proposal, SearchSpace
from alphaxenas.data.images import ImageData, Part
from alphaxenas.data.pipeline import Batches
from alphaxenas.data.split import stratified_draw
from alphaxenas.data.stored import pick
from alphaxenas.evaluators import FINAL_WEIGHTS, REWARDS
from alphaxenas.evaluators.rewards import reward_of
from alphaxenas.networks.bank import WeightBank
from alphaxenas.networks.convnet.network import ConvNetwork
from alphaxenas.networks.outline import outline_of
from alphaxenas.networks.training.fit import affordable, fit
from alphaxenas.networks.training.loop import (
    EVALUATION_BATCH,
    CompiledChild,
    DivergedError,
    Network,
    freeze_loaded_modules,
)
from alphaxenas.networks.training.recipe import Recipe
from alphaxenas.seeds import stream

CALIBRATION_BATCHES = 10


@dataclass(frozen=True)
class ChildTraining:
    """How the children of a search are trained, besides their recipe.

    Attributes:
        batch_size: Images a training step.
        share_weights: Whether children share one bank, or each starts from scratch.
        augment: Crops and mirrors training images.
        cutout: Side of the square cut out of training images, pixels; 0 for none.
        pad: Pixels a crop may reach beyond the image; None as for `Batches`.
        alternating: Whether images are mirrored in every second epoch instead of by chance.
        fixed_images: Whether the images of a budget's share are drawn once, for all children, instead of for every
            epoch. Children can then have as many epochs as the final training at a small part of its cost, so that what
            is learned by heart counts against them as it does there.
        teraflops: Work of a budget of one epoch of all images in 10^12 operations, see `fit.affordable`: large networks
            then see fewer images; 0: all see the same. Of a child with a share of the channels, the work that it would
            be with all of them, so that it sees as many images as the network in full.
        reward: `"last"` or `"best"`: which epoch's validation accuracy is the reward. The best of several is an
            optimistic figure, and costs a validation after every epoch.
        final_weights: `"scratch"` or `"shared"`: what proposals of purpose `"final"` start from where the others share
            weights. From scratch they leave no trace in the bank.
    """

    batch_size: int
    share_weights: bool = True
    augment: bool = True
    cutout: int = 0
    pad: int | None = None
    alternating: bool = False
    fixed_images: bool = False
    teraflops: float = 0.0
    reward: str = "last"
    final_weights: str = "scratch"

    def __post_init__(self) -> None:
        for name, allowed in (("reward", REWARDS), ("final_weights", FINAL_WEIGHTS)):
            if (value := getattr(self, name)) not in allowed:
                raise ValueError(
                    f"Invalid value for `{name}`. Expected one of {', '.join(allowed)}. Received: {value!r}"
                )


class TrainedEvaluator:
    """Trains children for the proposal's budget; see `contracts.Evaluator`.

    Args:
        space: Decodes the proposals' tokens.
        build: Network of an architecture.
        data: Training and validation part; the test part is never read.
        recipe: How weights are updated.
        settings: What else is to be said of a child's training.
        seed: The run's seed.
    """

    def __init__(
        self,
        space: SearchSpace,
        build: Callable[[Any], Network],
        data: ImageData,
        recipe: Recipe,
        settings: ChildTraining,
        seed: int,
    ) -> None:
        freeze_loaded_modules()
        self.bank = WeightBank(seed)
        self._space, self._build, self._recipe, self._seed = space, build, recipe, seed
        self._image_shape, self._settings = data.image_shape, settings
        self._data, self._batches = data, dict[float, Batches]()
        self._validation = Batches.of(data, "validation", EVALUATION_BATCH)

    def evaluate(self, proposal: Proposal) -> Outcome:
        """Trains and scores one architecture.

        A budget of 0 epochs scores it with the weights as they are: the moving statistics are measured again on a few
        batches of training images, neither augmented nor cut out, as validation images are; and nothing is kept.

        Returns:
            The outcome; `metrics` holds `loss` and `train_accuracy` of the last epoch, `images_per_epoch`,
            `epochs_trained` and `images`, those of all epochs together, which are the budget's unless its work is given
            (`teraflops`), `parameters` and `multiply_adds`. A child whose loss is not finite or that does not fit into
            memory has status `"failed"`, reward 0 and a reason, and leaves the shared weights as they were.
        """
        begin = time.perf_counter()
        bank = self.bank if self.shares(proposal) else WeightBank(self._seed)
        network = self._build(self._space.decode(proposal.tokens))
        metrics: dict[str, float] = {}
        child = None
        try:
            child = CompiledChild(network, bank, self._image_shape, self._recipe)
            metrics |= {"parameters": child.parameters, "multiply_adds": child.multiply_adds}
            reward = self._score(child, network, proposal, metrics)
        except (DivergedError, tf.errors.ResourceExhaustedError) as error:
            reason = f"{type(error).__name__}: {str(error).splitlines()[0]}"
            return Outcome(proposal, 0.0, "failed", metrics, time.perf_counter() - begin, reason)
        finally:
            # A traced child is a web of cycles; it must go before the next is traced.
            del child
            gc.collect()
        return Outcome(proposal, reward, "ok", metrics, time.perf_counter() - begin)

    def state(self) -> dict[str, Any]:
        """The shared weights; nothing for children from scratch."""
        return self.bank.state() if self._settings.share_weights else {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over a `state()`."""
        if self._settings.share_weights:
            self.bank.restore(state)

    def shares(self, proposal: Proposal) -> bool:
        """Whether the child starts from the shared weights."""
        alone = proposal.purpose == "final" and self._settings.final_weights == "scratch"
        return self._settings.share_weights and not alone

    def _images(self, fraction: float) -> Batches:
        """The images that children with this share learn from; all of them, unless the share is drawn once."""
        share, settings = fraction if self._settings.fixed_images else 1.0, self._settings
        if share not in self._batches:
            data, images = self._data, (settings.augment, settings.cutout, settings.pad, settings.alternating)
            if share < 1.0:
                count = max(1, round(share * len(data.train)))
                drawn = stratified_draw(data.train.labels, count, stream(self._seed, "fixed images", share))
                data = replace(data, train=Part(pick(data.train.images, drawn), data.train.labels[drawn]))
            self._batches[share] = Batches.of(data, "train", settings.batch_size, *images)
        return self._batches[share]

    def _score(self, child: CompiledChild, network: Network, proposal: Proposal, metrics: dict[str, float]) -> float:
        epochs, fraction = proposal.budget.epochs, proposal.budget.fraction
        training, validation, share = self._images(fraction), self._validation, epochs * fraction
        fraction = 1.0 if self._settings.fixed_images else fraction
        rng_stream = ("trial", proposal.number) if self.shares(proposal) else ()
        if epochs == 0:
            batches = training.epoch(self._seed, 0, fraction, rng_stream, augment=False)
            child.calibrate(itertools.islice(batches, CALIBRATION_BATCHES))
            return child.accuracy(validation.in_order())
        if self._settings.teraflops:
            in_full = child.multiply_adds
            if isinstance(network, ConvNetwork):
                in_full = outline_of(replace(network, width_share=1.0), self._image_shape).multiply_adds
            epochs, fraction = affordable(self._settings.teraflops * share, in_full, training)
        # Told before they are trained, because a child that fails is charged its whole budget.
        metrics |= {"epochs_trained": epochs, "images": epochs * training.images_drawn(fraction)}
        every = int(self._settings.reward == "best")
        how: dict[str, Any] = {"fraction": fraction, "rng_stream": rng_stream, "validate_every": every}
        history = fit(child, training, validation, epochs, self._seed, **how)
        last = history[-1]
        metrics |= {"loss": last["loss"], "train_accuracy": last["train_accuracy"], "images_per_epoch": last["images"]}
        if self.shares(proposal) and proposal.updates_shared_weights:
            child.store()
        accuracies = [record["validation_accuracy"] for record in history if "validation_accuracy" in record]
        return reward_of(accuracies, self._settings.reward)
