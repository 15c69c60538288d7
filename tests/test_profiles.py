"""Every profile: its parameters are possible, and what it builds is what its comments promise."""

import numpy as np
import pytest

from alphaxenas.children.densenet import DenseNet
from alphaxenas.children.outline import outline_of
from alphaxenas.config import PROFILES, from_values, load_profile
from alphaxenas.data import load_data
from alphaxenas.stages import cell_space, child_network, final_network, make_controller

NAMES = sorted(path.stem for path in PROFILES.glob("*.yaml"))
CIFAR_SHAPE = (32, 32, 3)


class _Cifar:
    image_shape, num_classes = CIFAR_SHAPE, 10


def images_of(config):
    return _Cifar() if config.data.dataset == "cifar10" else load_data(config.data.dataset)


def test_the_six_profiles_are_there():
    assert set(NAMES) >= {"smoke", "quick", "cifar10-cpu", "cifar10", "original-multiple", "original-one"}


@pytest.mark.parametrize("name", NAMES)
def test_children_and_final_networks_of_a_profile_can_be_built(name):
    config = from_values(load_profile(name))
    data, space = images_of(config), cell_space(config)
    cell = space.sample(np.random.default_rng(0))
    child = outline_of(child_network(config, 10)(cell), data.image_shape, training=True)
    final = outline_of(final_network(config, cell, data), data.image_shape, training=True)
    assert 0 < child.multiply_adds < final.multiply_adds
    for controller in config.search.controllers:
        assert make_controller(config, controller, space, 0).ask().purpose == "search"


def test_cifar10_cpu_holds_the_price_of_its_final_network():
    config = from_values(load_profile("cifar10-cpu"))
    for seed in range(5):
        network = final_network(config, cell_space(config).sample(np.random.default_rng(seed)), _Cifar())
        assert outline_of(network, CIFAR_SHAPE).multiply_adds <= 1e6 * config.training.train_multiply_adds


def test_cifar10_trains_the_published_densenet():
    base = from_values(load_profile("cifar10")).baseline
    network = DenseNet(10, base.densenet_depth, base.densenet_growth, base.densenet_compression)
    assert outline_of(network, CIFAR_SHAPE).parameters == 769_162


def test_the_original_profiles_are_the_published_configurations():
    multiple, one = (from_values(load_profile(f"original-{name}")).search for name in ("multiple", "one"))
    assert (multiple.expansions, multiple.tree_renewal, multiple.warmup_iterations, multiple.prior) == (12, 16, 16, "lstm")
    assert (one.expansions, one.tree_renewal, one.prior) == (1, 0, "uniform")
    for search in (multiple, one):
        assert (search.exploration, search.search_children, search.temperature) == (5.0, 0, 1.0)
        assert (search.search_epochs, search.final_epochs, search.search_fraction) == (1, 6, 0.3)
    assert from_values(load_profile("original-one")).child.reductions == 0
