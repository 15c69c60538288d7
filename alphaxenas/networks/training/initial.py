"""A network before its training, with a batch: what zero-cost proxies score (`alphaxenas.proxies`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from alphaxenas.networks.bank import WeightBank
from alphaxenas.networks.outline import Outline, outline_of


@dataclass(frozen=True)
class NetworkWithBatch:
    """See `alphaxenas.proxies.network.InitialNetwork`. TensorFlow is loaded when something is computed.

    Attributes:
        network: Builds the forward pass, see `training.loop.Network`.
        image_shape: Height, width and channels.
        batch: Gives the images and their classes.
        seed: Of the initial weights, which are those of a child of a bank with this seed.
    """

    network: Callable[[Any, Any], list[Any]]
    image_shape: tuple[int, int, int]
    batch: Callable[[], tuple[Any, Any]]
    seed: int = 0

    @cached_property
    def outline(self) -> Outline:
        """What the network needs and costs in prediction."""
        return outline_of(self.network, self.image_shape)

    def weights(self) -> dict[str, Any]:
        """As `InitialNetwork.weights`."""
        import tensorflow as tf

        bank = WeightBank(self.seed)
        return {
            name: tf.constant(bank.take("weights", {name: spec}).reshape(spec.shape))
            for name, spec in self.outline.weights.items()
        }

    def logits(
        self, weights: Mapping[str, Any], images: Any, view: Callable[[Any], Any], precision: str = "float32"
    ) -> Any:
        """As `InitialNetwork.logits`.

        Args:
            weights: By name.
            images: `[B, h, w, c]`.
            view: Of the layers.
            precision: Of activations.
        """
        from alphaxenas.networks.layers import Layers

        return self.network(view(Layers(weights, {}, True, precision)), images)[0]
