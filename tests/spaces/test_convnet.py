"""Plain convolution nets: text forms, costs, the nets of the literature, and what is refused."""

from __future__ import annotations

import json

import pytest

from alphaxenas.spaces import ConvNet, ConvNetSpace, parse_architecture
from alphaxenas.spaces.convnet import KNOWN_CONVNETS, Stage

HAND_MADE = "64 conv pool conv; 128 conv pool conv; 128 conv pool conv; gelu; max"


@pytest.mark.parametrize("written", ["airbench93", "zoo:airbench93", HAND_MADE, KNOWN_CONVNETS["airbench93"].to_json()])
def test_the_net_of_the_literature_has_a_name(written):
    net = parse_architecture(written)
    assert net == ConvNetSpace().parse(written) == ConvNet((Stage(64), Stage(128), Stage(128)), "gelu", "max")
    assert str(net) == HAND_MADE


def test_brackets_stand_where_a_residual_connection_is():
    net = ConvNet.parse("32 pool conv [conv conv];  96 conv pool [conv]; 256 conv pool; silu; average;")
    assert net.stages == (Stage(32, 3, "before", True), Stage(96, 2, "after", True), Stage(256, 1, "after", False))
    assert (net.activation, net.head) == ("silu", "average")


def test_multiply_adds_are_counted_layer_by_layer():
    # Whitening, then 31x31, 15x15, 15x15, 7x7, 7x7, 3x3 pixels, then the classifier.
    pixels = [31 * 31 * 24 * 64, 15 * 15 * 64 * 64, 15 * 15 * 64 * 128, 7 * 7 * 128**2, 7 * 7 * 128**2, 3 * 3 * 128**2]
    assert KNOWN_CONVNETS["airbench93"].multiply_adds() == 31 * 31 * 12 * 24 + 9 * sum(pixels) + 1280
    before = ConvNet.parse(HAND_MADE.replace("64 conv pool conv", "64 pool conv conv"))
    pixels[0] = 15 * 15 * 24 * 64
    assert before.multiply_adds() == 31 * 31 * 12 * 24 + 9 * sum(pixels) + 1280


def test_features_know_the_price():
    space = ConvNetSpace()
    where = space.feature_groups()["costs"][0]
    small, large = (space.features(ConvNet.parse(name))[where] for name in ("airbench93", "airbench94"))
    assert (small[:3] < large[:3]).all() and small[3] == large[3] == 6


@pytest.mark.parametrize(
    ("written", "parts"),
    [
        ("64 conv pool conv; gelu; max", ["3 stages", "Received: '64 conv"]),
        (HAND_MADE.replace("128 conv", "130 conv", 1), ["`width` in stage 1", "32, 64", "130"]),
        (HAND_MADE.replace("pool conv", "conv", 1), ["stage 0", "'conv pool conv'", "64 conv conv"]),
        (HAND_MADE.replace("gelu", "gleu"), ["`activation`", "Did you mean 'gelu'"]),
        (HAND_MADE.replace("max", "mean"), ["`head`", "max, average"]),
        (KNOWN_CONVNETS["airbench93"].to_json().replace("width", "size"), ["stage 0", "width, convolutions, pool"]),
        (KNOWN_CONVNETS["airbench93"].to_json().replace("128", '"128"'), ["`width` in stage 1", "'128'"]),
        (json.dumps({"stages": []}), ["`architecture`"]),
    ],
)
def test_what_is_wrong_is_named_with_what_would_be_right(written, parts):
    with pytest.raises(ValueError) as error:
        ConvNet.parse(written)
    assert all(part in str(error.value) for part in parts), error.value


def test_a_residual_connection_needs_later_convolutions():
    with pytest.raises(ValueError, match="convolutions and residual.*stage 2"):
        ConvNet((Stage(32), Stage(32), Stage(32, 1, "after", True)))
