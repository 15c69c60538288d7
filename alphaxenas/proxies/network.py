"""What a proxy is given: a network with its initial weights and one batch, and how it looks inside.

Proxies know networks by this protocol alone (`alphaxenas.networks.training.initial` implements it), so that a search on
a table can use the free ones without TensorFlow. A proxy sees activations by putting a `View` of its own between the
network and its layers; nothing is patched.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar


class Outlined(Protocol):
    """What is known of a network without computing anything; `alphaxenas.networks.outline.Outline` has it."""

    @property
    def kernels(self) -> Mapping[str, Any]:
        """Convolution kernels by name."""

    @property
    def matrices(self) -> Mapping[str, Any]:
        """Kernels of dense layers by name."""

    @property
    def parameters(self) -> int:
        """Number of trainable values."""

    @property
    def multiply_adds(self) -> int:
        """Of one image's forward pass."""

    @property
    def depth(self) -> int:
        """Convolutions on the longest path from the image to the output."""

    @property
    def operations(self) -> Sequence[tuple[str, str]]:
        """(operation of the layer interface, name of its weights or empty), in the order of the network."""


class InitialNetwork(Protocol):
    """A network before its training, and a batch."""

    @property
    def outline(self) -> Outlined:
        """What it needs and costs."""

    @property
    def seed(self) -> int:
        """Of its initial weights, and of what a proxy draws."""

    def batch(self) -> tuple[Any, Any]:
        """Normalised images `[B, h, w, c]`, float32, and their classes `[B]`, int32."""

    def weights(self) -> dict[str, Any]:
        """All trainable arrays by name, at their initial values, float32."""

    def logits(
        self, weights: Mapping[str, Any], images: Any, view: Callable[[Any], Any], precision: str = "float32"
    ) -> Any:
        """The forward pass in training, where batch normalisation uses the statistics of the batch.

        Args:
            weights: As of `weights()`, or of their shapes.
            images: `[B, h, w, c]`.
            view: What the network is walked over, made of its layers; a `View`.
            precision: Of activations; `"float64"` needs weights and images of that type, and a view without batch
                normalisation.

        Returns:
            Logits `[B, classes]`.
        """


class View:
    """The layers of a forward pass as a proxy sees them: those below, without dropout and drop-path.

    Args:
        layers: `alphaxenas.networks.layers.Layers`.
    """

    training = False
    """What the network is told, so that it has no auxiliary head; batch normalisation does use the batch."""

    def __init__(self, layers: Any) -> None:
        self._layers = layers

    def __getattr__(self, operation: str) -> Any:
        return getattr(self._layers, operation)

    def dropout(self, x: Any, rate: float) -> Any:
        """Nothing is dropped: a proxy has no noise."""
        return x

    def drop_path(self, x: Any, rate: float, depth: float) -> Any:
        """Nothing is dropped."""
        return x


Kind = TypeVar("Kind", bound=View)


def walked(network: InitialNetwork, weights: Mapping[str, Any], images: Any, kind: type[Kind]) -> tuple[Any, Kind]:
    """A forward pass and what was seen of it.

    Args:
        network: What is walked.
        weights: As of `InitialNetwork.weights`.
        images: `[B, h, w, c]`.
        kind: Class of the view.

    Returns:
        Logits `[B, classes]`, and the view.
    """
    made: list[Kind] = []

    def view(layers: Any) -> Kind:
        made.append(kind(layers))
        return made[0]

    return network.logits(weights, images, view), made[0]
