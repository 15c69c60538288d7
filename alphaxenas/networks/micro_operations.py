"""The operations of micro cells, at stride 1 or 2, as the families of published cells have them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from alphaxenas.suggestions import invalid

if TYPE_CHECKING:
    import tensorflow as tf

    from alphaxenas.networks.layer_interface import LayerInterface


def apply_micro_operation(
    layers: LayerInterface, operation: str, x: tf.Tensor, name: str, filters: int, stride: int = 1, sep_repeats: int = 2
) -> tf.Tensor:
    """One operation of a node.

    Args:
        layers: The layers of this forward pass.
        operation: One of `alphaxenas.spaces.micro.MICRO_OPERATIONS`, or alike with other sizes: `convKxK` (ReLU,
            convolution, batch norm), `convAxB-BxA` (ReLU, two convolutions, batch norm), `sepKxK` (ReLU, depthwise,
            pointwise, batch norm, all of it `sep_repeats` times), `dilsepKxK` (the same once, with dilation 2),
            `maxpoolKxK`, `avgpoolKxK`, `minpoolKxK`, `identity` (at stride 2 a factorised reduction).
        x: `[B, h, w, filters]`.
        name: Where the weights live in the bank.
        filters: Number of output channels.
        stride: 1 or 2.
        sep_repeats: How often a separable convolution is applied; the first time with the stride.

    Returns:
        `[B, h / stride, w / stride, filters]`.

    Raises:
        ValueError: The operation is unknown.

    Source: Zoph et al. 2018, section 3.1 and appendix A.4 (separable operations twice); Liu et al. 2019, "DARTS",
        section 3.1.1 (dilated ones once).
    """
    kind, size = _parts(operation)
    if kind == "identity":
        return x if stride == 1 else factorised_reduction(layers, {"x": x}, name, filters)
    if kind.endswith("pool"):
        pool = {"maxpool": layers.max_pool, "avgpool": layers.average_pool, "minpool": layers.min_pool}[kind]
        return pool(x, size[0], stride)
    if kind == "dilsep":
        return separable(layers, x, name, filters, size[0], stride, dilation=2)
    if kind == "sep":
        for repeat in range(sep_repeats):
            x = separable(layers, x, f"{name}/{repeat}", filters, size[0], stride if repeat == 0 else 1)
        return x
    x = layers.relu(x)
    if size[0] != size[1]:
        x = layers.conv(x, f"{name}/first", filters, size, stride)
        return layers.batch_norm(layers.conv(x, name, filters, size[::-1]), name)
    return layers.batch_norm(layers.conv(x, name, filters, size[0], stride), name)


def factorised_reduction(layers: LayerInterface, ends: dict[str, tf.Tensor], name: str, filters: int) -> tf.Tensor:
    """Halves height and width of a concatenation without losing every other pixel.

    ReLU; one 1x1 convolution of stride 2 makes half of the channels, another one of the image moved by one pixel makes
    the others; batch norm. The convolution over the concatenation is a sum of one per end.

    Args:
        layers: The layers of this forward pass.
        ends: What is concatenated, by the name that its weights have; each `[B, h, w, c]`.
        name: Where the weights live in the bank.
        filters: Number of output channels, at least 2.

    Returns:
        `[B, h / 2, w / 2, filters]`.

    Source: Zoph et al. 2018, appendix A.4, as published with the code of NASNet.
    """
    halves = []
    for half, channels in (("even", filters // 2), ("odd", filters - filters // 2)):
        parts = []
        for end, x in ends.items():
            x = layers.relu(x)
            source = x if half == "even" else layers.shifted(x)
            parts.append(layers.conv(source, f"{name}/{half}/{end}", channels, 1, 2))
        halves.append(layers.add(parts))
    return layers.batch_norm(layers.concat(halves), name)


def separable(
    layers: LayerInterface, x: tf.Tensor, name: str, filters: int, size: int, stride: int = 1, dilation: int = 1
) -> tf.Tensor:
    """ReLU, depthwise convolution, 1x1 convolution, batch norm.

    Args:
        layers: The layers of this forward pass.
        x: `[B, h, w, c]`.
        name: Where the weights live in the bank.
        filters: Number of output channels.
        size: Side of the depthwise kernel.
        stride: 1 or 2.
        dilation: Distance of the pixels that the depthwise kernel reads.

    Returns:
        `[B, h / stride, w / stride, filters]`.
    """
    spatial = layers.depthwise(layers.relu(x), name, size, stride, dilation)
    return layers.batch_norm(layers.conv(spatial, f"{name}/pointwise", filters, 1), name)


def _parts(operation: str) -> tuple[str, tuple[int, int]]:
    """`sep3x3` as ("sep", (3, 3)); `conv1x7-7x1` as ("conv", (1, 7))."""
    found = re.fullmatch(r"(conv|sep|dilsep|maxpool|avgpool|minpool)(\d+)x(\d+)(-\d+x\d+)?", operation)
    if operation == "identity":
        return "identity", (1, 1)
    size = (int(found[2]), int(found[3])) if found else (0, 0)
    mirrored = f"-{size[1]}x{size[0]}" if found and found[1] == "conv" and size[0] != size[1] else None
    if not found or found[4] != mirrored or (size[0] != size[1] and not mirrored):
        expected = "convKxK, convAxB-BxA, sepKxK, dilsepKxK, maxpoolKxK, avgpoolKxK, minpoolKxK or identity"
        raise invalid("operation", expected, repr(operation))
    return found[1], size
