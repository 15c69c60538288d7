"""The network of a cell: what it computes, at which resolution, on which weights."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from alphaxenas.networks.bank import WeightBank
from alphaxenas.networks.cell import CellNetwork, apply_operation
from alphaxenas.networks.layers import Layers
from alphaxenas.networks.outline import Outline, Shaped, outline_of
from alphaxenas.spaces.cell import Cell
from alphaxenas.spaces.notation import OPERATIONS
from tests.networks.tiny import CLASSES, EVERYTHING, MIXED, SHAPE, SMALL, batch_of, layers_of, network_of


class Resolutions(Outline):
    """An outline that remembers the height of every cell's blocks."""

    def __init__(self) -> None:
        super().__init__(training=True)
        self.heights: dict[str, int] = {}

    def batch_norm(self, x, name):
        self.heights[name.split("/")[0]] = x.shape[1]
        return super().batch_norm(x, name)


def heights_of(network: CellNetwork, side: int = 32) -> list[int]:
    outline = Resolutions()
    network(outline, Shaped((None, side, side, 3)))
    return [outline.heights[f"cell{index}"] for index in range(network.cells)]


@pytest.mark.parametrize(
    "reductions, heights", [(0, [32, 32, 32, 32, 32, 32]), (1, [32, 32, 32, 16, 16, 16]), (2, [32, 32, 16, 16, 8, 8])]
)
def test_reductions_halve_the_image_at_evenly_spaced_cells(reductions, heights):
    network = CellNetwork(SMALL, 10, cells=6, reductions=reductions)
    assert heights_of(network) == heights
    kernel = outline_of(network, (32, 32, 3)).kernels["cell5/block0/first/conv3x3/kernel"]
    assert kernel.shape[2:] == (16 * 2**reductions,) * 2


def test_a_strided_stem_halves_everything():
    assert heights_of(CellNetwork(SMALL, 10, cells=3, reductions=2, stem_stride=2)) == [16, 8, 4]


@pytest.mark.parametrize("shape", [(8, 8, 1), (7, 7, 3), (28, 28, 1), (5, 16, 3), (2, 9, 1), (1, 1, 1), (11, 3, 2)])
@pytest.mark.parametrize("reductions", [0, 2])
def test_any_image_size_and_number_of_channels_works(shape, reductions):
    network = network_of(MIXED, cells=4, reductions=reductions, auxiliary=True)
    logits = network(layers_of(network, shape, training=True), batch_of(4, shape)[0])
    assert [tuple(x.shape) for x in logits] == [(4, CLASSES)] * 2
    assert all(np.isfinite(x).all() for x in logits)


def block_output(operation: str, x: tf.Tensor) -> tf.Tensor:
    """One operation alone, in training, on weights of its own name."""
    outline = Outline(training=True)
    apply_operation(outline, operation, Shaped(tuple(x.shape)), operation, x.shape[3])
    bank = WeightBank(0)
    arrays = {
        name: tf.constant(bank.take("weights", {name: spec}).reshape(spec.shape))
        for name, spec in outline.weights.items()
    }
    return apply_operation(Layers(arrays, {}, True), operation, x, operation, x.shape[3])


def test_operations_with_different_names_give_different_outputs_and_gradients():
    x = batch_of(4, (8, 8, 2))[0]
    outputs, gradients = {}, {}
    for operation in OPERATIONS:
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = block_output(operation, x)
            total = tf.reduce_sum(y * y * y)
        assert y.shape == x.shape
        outputs[operation], gradients[operation] = y.numpy(), tape.gradient(total, x).numpy()
    for number, first in enumerate(OPERATIONS):
        for second in OPERATIONS[number + 1 :]:
            assert not np.allclose(outputs[first], outputs[second]), (first, second)
            assert not np.allclose(gradients[first], gradients[second]), (first, second)


def test_an_unknown_operation_is_named():
    with pytest.raises(ValueError, match="operation.*'wavelet'"):
        block_output("wavelet", batch_of()[0])


@pytest.mark.parametrize(
    "other",
    [
        "prev2:conv3x3 + prev2:identity",
        "prev:conv5x5 + prev2:identity",
        "prev:conv3x3 + prev2:maxpool3x3",
        "prev:conv3x3 | prev2:identity",
    ],
)
def test_every_choice_of_a_block_changes_the_logits(other):
    images = batch_of()[0]
    networks = network_of(SMALL), network_of(Cell.parse(other))
    first, second = (network(layers_of(network, training=True), images)[0].numpy() for network in networks)
    assert not np.allclose(first, second, atol=1e-4)


def test_the_same_operation_at_the_same_position_shares_its_weights_and_no_other_does():
    weights = {
        text: set(outline_of(network_of(Cell.parse(text)), SHAPE).weights)
        for text in ("prev:conv3x3 + prev2:identity", "prev2:conv3x3 + prev:conv3x3", "prev:conv5x5 + prev:conv3x3")
    }
    first, second, third = weights.values()
    position = "cell1/block0/first/conv3x3/kernel"
    assert position in first and position in second and position not in third
    assert "cell1/block0/second/conv3x3/kernel" in second & third


def test_only_what_is_read_is_projected():
    names = outline_of(network_of(Cell.parse("prev:conv3x3 + prev:identity")), SHAPE).weights
    assert not any("/before/" in name for name in names)
    assert any("/previous/" in name for name in names)


def test_only_output_blocks_reach_the_next_cell():
    names = outline_of(
        network_of(Cell.parse("prev:conv3x3 + prev2:identity; b0:identity + prev:identity")), SHAPE
    ).weights
    assert "cell1/previous/block1/kernel" in names and "cell1/previous/block0/kernel" not in names


def test_a_concatenation_is_a_1x1_convolution_over_both_sides():
    network = network_of(Cell.parse("prev:identity | prev:maxpool3x3"), cells=1, reductions=0)
    layers, x = layers_of(network, training=True), batch_of(4, (8, 8, 2))[0]
    blocks = network.block(layers, network.cell.blocks[0], [x, x], 0, 0)
    kernel = tf.concat([layers._weights[f"cell0/block0/concat/{slot}/kernel"] for slot in ("first", "second")], 2)
    joined = tf.nn.conv2d(tf.nn.relu(tf.concat([x, tf.nn.max_pool2d(x, 3, 1, "SAME")], 3)), kernel, 1, "SAME")
    mean, variance = tf.nn.moments(joined, [0, 1, 2])
    np.testing.assert_allclose(blocks, (joined - mean) / tf.sqrt(variance + 1e-3), atol=1e-4)


def test_the_auxiliary_head_reads_the_first_cell_after_the_last_reduction():
    network = network_of(EVERYTHING, cells=3, reductions=2, auxiliary=True)
    outline = Resolutions()
    network(outline, Shaped((None, 32, 32, 3)))
    assert outline.heights["auxiliary"] == 8
    assert len(network(layers_of(network), batch_of()[0])) == 1


def test_drop_path_dropout_and_auxiliary_head_change_training_and_nothing_in_prediction():
    images = batch_of()[0]
    plain = network_of(MIXED)
    predicted, trained = (plain(layers_of(plain, training=training), images)[0].numpy() for training in (False, True))
    for options in ({"drop_path": 0.5}, {"dropout": 0.5}, {"auxiliary": True}):
        network = network_of(MIXED, **options)
        np.testing.assert_array_equal(network(layers_of(network), images)[0], predicted)
        logits = network(layers_of(network, training=True), images)
        assert len(logits) == 1 + ("auxiliary" in options)
        assert np.allclose(logits[0], trained) == ("auxiliary" in options)
    still = network_of(MIXED, drop_path=0.5)
    np.testing.assert_array_equal(still(layers_of(still, training=True, progress=0.0), images)[0], trained)


def test_the_last_cell_drops_paths_most():
    rates = []

    class Rates(Outline):
        def drop_path(self, x, rate, depth):
            rates.append(rate * depth)
            return x

    network = CellNetwork(SMALL, 10, cells=4, reductions=0, drop_path=0.2)
    network(Rates(True), Shaped((None, 8, 8, 1)))
    assert rates == pytest.approx([0.05, 0.1, 0.15, 0.2])


def test_an_identity_is_never_dropped():
    network = network_of(Cell.parse("prev:identity + prev2:identity"), drop_path=0.9)
    plain = network_of(Cell.parse("prev:identity + prev2:identity"))
    images = batch_of()[0]
    np.testing.assert_array_equal(
        network(layers_of(network, training=True), images)[0], plain(layers_of(plain, training=True), images)[0]
    )
