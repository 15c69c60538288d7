"""The stem of all networks of cells and layers: one convolution, or the three for images as large as ImageNet's."""

from __future__ import annotations

import pytest

from alphaxenas.networks.options import NetworkOptions, apply_stem
from alphaxenas.networks.outline import outline_of
from alphaxenas.networks.registry import build_network
from alphaxenas.spaces import CellSpace, MacroSpace, MicroSpace, NASBench101, NASBench201
from alphaxenas.spaces.zoo import zoo_cell
from tests.networks.tiny import batch_of, layers_of

SPACES = {
    "cell": CellSpace(blocks=2),
    "micro": MicroSpace(2),
    "macro": MacroSpace(3),
    "nasbench101": NASBench101(5, 5),
    "nasbench201": NASBench201(),
}


@pytest.mark.parametrize("stride, convolutions", [(1, 1), (2, 1), (8, 3)])
def test_the_image_is_divided_by_the_stride(stride, convolutions):
    def network(layers, images):
        return [apply_stem(layers, images, 6, stride)]

    outline = outline_of(network, (32, 24, 3))
    images, _ = batch_of(2, (32, 24, 3))
    (y,) = network(layers_of(network, (32, 24, 3), training=True), images)
    assert y.shape == (2, 32 // stride, 24 // stride, 6)
    assert len(outline.kernels) == convolutions
    # 3 channels in, 3 x 3 x in x out weights, a scale and an offset a channel; half of the channels after the first.
    one, three = 27 * 6 + 12, (27 * 3 + 6) + (27 * 6 + 12) + (54 * 6 + 12)
    assert outline.parameters == (one if convolutions == 1 else three)


@pytest.mark.parametrize("name", SPACES)
def test_every_network_has_the_stem_of_large_images(name):
    space = SPACES[name]
    architecture = space.decode(_last(space))
    sizes = {}
    for stride in (1, 8):
        network = build_network(architecture, NetworkOptions(10, 4, 3, stem_stride=stride))
        outline = outline_of(network, (64, 64, 3))
        sizes[stride] = outline.multiply_adds
        assert [kernel for kernel in outline.kernels if kernel.startswith("stem")] == (
            ["stem/kernel"] if stride == 1 else [f"stem{number}/kernel" for number in range(3)]
        )
    assert sizes[8] < sizes[1] / 4


def _last(space):
    """A complete sequence: the last legal token at every place."""
    tokens = ()
    while actions := space.legal_actions(tokens):
        tokens = (*tokens, actions[-1])
    return tokens


@pytest.mark.parametrize(
    "options, side, parameters",
    [(NetworkOptions(10, 36, 20), 32, 3_349_342), (NetworkOptions(1000, 48, 14, stem_stride=8), 224, 4_718_752)],
)
def test_the_cell_of_darts_has_the_published_size_on_cifar10_and_on_imagenet(options, side, parameters):
    """3.3 and 4.7 million (Liu et al. 2019, tables 1 and 3), as the published code counts them."""
    assert outline_of(build_network(zoo_cell("darts_v2"), options), (side, side, 3)).parameters == parameters
