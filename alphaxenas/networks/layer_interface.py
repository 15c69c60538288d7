"""The operations that networks are built of, whatever they are computed over.

All image tensors are NHWC; `B` denotes the batch dimension. A network is a function of a `LayerInterface`: the same
code runs over tensors (`layers.Layers`), over shapes (`outline.Outline`), over Keras layers (`export.keras_export`)
and, in a supernet, over all architectures at once (`supernet.switched`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

Size = int | tuple[int, int]


class LayerInterface(Protocol):
    """Operations on values that stand for tensors: tensors themselves, shapes, or Keras tensors.

    Attributes:
        training: Whether parts that exist in training only (dropout, the auxiliary head) are built.
    """

    training: bool

    def input(self, images: Any) -> Any:
        """Images as the network computes with them, in the chosen precision.

        Args:
            images: `[B, h, w, c]`.

        Returns:
            `[B, h, w, c]`.
        """

    def line(self, x: Any) -> Any:
        """Images as one row of pixels, for convolutions along it.

        Args:
            x: `[B, h, w, c]`.

        Returns:
            `[B, 1, h * w, c]`.
        """

    def conv(
        self, x: Any, name: str, filters: int, size: Size, stride: int = 1, bias: bool = False, initial: str = "he"
    ) -> Any:
        """Convolution.

        Args:
            x: `[B, h, w, c]`.
            name: Prefix of the names of its weights.
            filters: Number of output channels.
            size: Of the kernel, one number or (height, width); of one number, a kernel on an image of height 1
                has height 1 too.
            stride: Distance of windows.
            bias: Whether a trained number per channel is added, at first 0.
            initial: How the kernel starts: `"he"`, normal with variance 2 / fan-in; `"xavier"`, 2 / (fan-in + fan-out);
                `"dirac"`, the first filters copy a channel each, others are normal with variance 1 / (3 fan-in).

        Returns:
            `[B, h / stride, w / stride, filters]`.
        """

    def depthwise(self, x: Any, name: str, size: int, stride: int = 1, dilation: int = 1) -> Any:
        """Depthwise convolution without bias.

        Args:
            x: `[B, h, w, c]`.
            name: Prefix of the names of its weights.
            size: Side of the kernel.
            stride: Distance of windows.
            dilation: Distance of the pixels that a kernel reads.

        Returns:
            `[B, h / stride, w / stride, c]`.
        """

    def whiten(self, x: Any, name: str) -> Any:
        """Convolution of 2x2 patches, without padding, with a kernel that whitens them and is not trained.

        Args:
            x: Images `[B, h, w, c]`.
            name: Prefix of the names of its kernel, which `CompiledChild.prepare` sets, and of its trained bias.

        Returns:
            `[B, h - 1, w - 1, 8 * c]`.
        """

    def batch_norm(self, x: Any, name: str, scale: bool = True) -> Any:
        """Batch normalisation over all axes but the last, with trained offset.

        Args:
            x: `[B, h, w, c]`.
            name: Prefix of the names of its weights and statistics.
            scale: Whether there is a trained scale.

        Returns:
            `[B, h, w, c]`.
        """

    def dense(self, x: Any, name: str, units: int, divisor: float = 1.0) -> Any:
        """Affine map in float32, the last of a network.

        Args:
            x: `[B, n]`.
            name: Prefix of the names of its weights.
            units: Number of outputs.
            divisor: Of the outputs.

        Returns:
            `[B, units]`.
        """

    def dense_of_parts(self, parts: Mapping[str, Any], name: str, units: int) -> Any:
        """Affine map of a concatenation, with a kernel for each part.

        Args:
            parts: Name of the part, as in its weights, to `[B, n]`.
            name: Prefix of the names of its weights.
            units: Number of outputs.

        Returns:
            `[B, units]`.
        """

    def shifted(self, x: Any) -> Any:
        """The image moved up and left by one pixel; zeros follow.

        Args:
            x: `[B, h, w, c]`.

        Returns:
            `[B, h, w, c]`.
        """

    def zeros(self, x: Any) -> Any:
        """Nothing, in the shape of a tensor.

        Args:
            x: Any shape `[B, ...]`.

        Returns:
            The shape of `x`.
        """

    def relu(self, x: Any) -> Any:
        """Rectifier.

        Args:
            x: Any shape `[B, ...]`.

        Returns:
            The shape of `x`.
        """

    def activation(self, x: Any, kind: str) -> Any:
        """Activation function, element by element.

        Args:
            x: Any shape `[B, ...]`.
            kind: `"relu"`; `"gelu"` in its tanh form, x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2; or `"silu"`,
                x times the logistic function of x.

        Returns:
            The shape of `x`.

        Source: Hendrycks & Gimpel 2016, "Gaussian error linear units", section 2, for both.
        """

    def add(self, parts: Sequence[Any]) -> Any:
        """Sum of tensors of one shape.

        Args:
            parts: At least one tensor, each `[B, ...]`.

        Returns:
            The shape of one part.
        """

    def concat(self, parts: Sequence[Any]) -> Any:
        """Concatenation of channels.

        Args:
            parts: At least one tensor, `[B, h, w, c_i]` with equal h and w.

        Returns:
            `[B, h, w, sum of c_i]`.
        """

    def first_channels(self, x: Any, channels: int) -> Any:
        """The first channels of an image; the others are left out.

        Args:
            x: `[B, h, w, c]`.
            channels: How many, at most c.

        Returns:
            `[B, h, w, channels]`.
        """

    def max_pool(self, x: Any, size: int, stride: int = 1, whole: bool = False) -> Any:
        """Maximum over windows; padding never wins.

        Args:
            x: `[B, h, w, c]`.
            size: Side of the window; with an image height of 1, its length.
            stride: Distance of windows.
            whole: Whether only windows that lie within the image count, so that pixels may be left over.

        Returns:
            `[B, h / stride, w / stride, c]`, rounded up; for whole windows of the stride's size, down.
        """

    def min_pool(self, x: Any, size: int, stride: int = 1) -> Any:
        """Minimum over windows; padding never wins.

        Args:
            x: `[B, h, w, c]`.
            size: Side of the window; with an image height of 1, its length.
            stride: Distance of windows.

        Returns:
            `[B, h / stride, w / stride, c]`.
        """

    def average_pool(self, x: Any, size: int, stride: int = 1) -> Any:
        """Mean over windows; padding does not count.

        Args:
            x: `[B, h, w, c]`.
            size: Side of the window; with an image height of 1, its length.
            stride: Distance of windows.

        Returns:
            `[B, h / stride, w / stride, c]`.
        """

    def global_average(self, x: Any) -> Any:
        """Mean over the image in float32.

        Args:
            x: `[B, h, w, c]`.

        Returns:
            `[B, c]`.
        """

    def global_max(self, x: Any) -> Any:
        """Maximum over the image, in float32.

        Args:
            x: `[B, h, w, c]`.

        Returns:
            `[B, c]`.
        """

    def flatten(self, x: Any) -> Any:
        """All values of an image in a row, in float32.

        Args:
            x: `[B, h, w, c]`.

        Returns:
            `[B, h * w * c]`.
        """

    def dropout(self, x: Any, rate: float) -> Any:
        """Zeroes entries in training and scales the others up.

        Args:
            x: Any shape `[B, ...]`.
            rate: Probability of a zero; 0 for none.

        Returns:
            The shape of `x`.
        """

    def drop_path(self, x: Any, rate: float, depth: float) -> Any:
        """Zeroes whole paths of single images.

        The probability is `rate * depth * progress`: it grows with depth and with time.

        Args:
            x: `[B, h, w, c]`.
            rate: Probability at the last cell at the end of training.
            depth: Position of the cell in (0, 1].

        Returns:
            `[B, h, w, c]`.

        Source: Zoph et al. 2018, "Learning transferable architectures for scalable image recognition",
            ScheduledDropPath; after Larsson et al. 2017, FractalNet, whose rate is constant.
        """
