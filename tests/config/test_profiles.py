"""Every profile: its parameters are possible, and what it builds is what its comments promise."""

import numpy as np
import pytest

from alphaxenas.config import PROFILES, from_values, load_profile
from alphaxenas.data import load_data
from alphaxenas.networks.densenet import DenseNet
from alphaxenas.networks.outline import outline_of
from alphaxenas.pipelines.factory import (
    child_network,
    configured_controller,
    final_network,
    recipe_from_config,
    search_space,
)
from alphaxenas.pipelines.final import chosen_architectures
from alphaxenas.spaces.zoo import zoo_cell

NAMES = sorted(path.stem for path in PROFILES.glob("*.yaml"))
CIFAR_SHAPE = (32, 32, 3)


class _Cifar:
    image_shape, num_classes = CIFAR_SHAPE, 10


class _Mnist:
    image_shape, num_classes = (28, 28, 1), 10


def images_of(config):
    known = {"cifar10": _Cifar, "mnist": _Mnist}
    return known[config.data.dataset]() if config.data.dataset in known else load_data(config.data.dataset)


def given_network(name):
    """What the final training of a profile that names its architecture builds, and its configuration."""
    config = from_values(load_profile(name))
    return final_network(config, chosen_architectures(config)[0], _Cifar()), config


def test_the_profiles_of_the_readme_are_there():
    assert set(NAMES) >= {
        "smoke",
        "quick",
        "cifar10-cpu",
        "cifar10-cpu-hour",
        "cifar10-cells-cpu",
        "cifar10-fast",
        "mnist-cpu",
        "cifar10",
        "original-multiple",
        "original-one",
        "nao-ws",
        "naonet",
        "alphax-like",
        "darts-like",
        "zoo-cpu",
    }


@pytest.mark.parametrize("name", NAMES)
def test_children_and_final_networks_of_a_profile_can_be_built(name):
    config = from_values(load_profile(name))
    data, space = images_of(config), search_space(config)
    cell = space.sample(np.random.default_rng(0))
    child = outline_of(child_network(config, 10)(cell), data.image_shape, training=True)
    final = outline_of(final_network(config, cell, data), data.image_shape, training=True)
    # Plain convolution nets are the same in search and final training.
    assert 0 < child.multiply_adds <= final.multiply_adds
    assert child.multiply_adds < final.multiply_adds or config.space.space == "convnet"
    for controller in config.search.controllers:
        assert configured_controller(config, controller, space, 0).ask().purpose == "search"


def test_cifar10_cells_cpu_holds_the_price_of_its_final_network():
    config = from_values(load_profile("cifar10-cells-cpu"))
    for seed in range(5):
        network = final_network(config, search_space(config).sample(np.random.default_rng(seed)), _Cifar())
        assert outline_of(network, CIFAR_SHAPE).multiply_adds <= 1e6 * config.training.train_multiply_adds


@pytest.mark.parametrize("name", ["cifar10-cpu", "cifar10-cpu-hour", "cifar10-fast"])
def test_plain_nets_are_trained_with_the_published_recipe_in_search_and_final_training(name):
    config = from_values(load_profile(name))
    child, final = recipe_from_config(config), recipe_from_config(config, config.training.train_epochs)
    assert child == final
    assert (final.optimizer, final.momentum, final.learning_rate, final.weight_decay) == (
        "decoupled",
        0.85,
        11.5,
        0.0153,
    )
    assert (final.label_smoothing, final.offset_rate, final.lookahead, final.gradient_clip) == (0.2, 64.0, True, 0.0)
    assert (config.data.crop_pad, config.data.alternating_flip, config.training.test_views) == (2, True, True)


def test_cifar10_trains_the_published_densenet():
    base = from_values(load_profile("cifar10")).baseline
    network = DenseNet(10, base.densenet_depth, base.densenet_growth, base.densenet_compression)
    assert outline_of(network, CIFAR_SHAPE).parameters == 769_162


def test_the_original_profiles_are_the_published_configurations():
    multiple, one = (from_values(load_profile(f"original-{name}")).search for name in ("multiple", "one"))
    assert (multiple.num_simulations, multiple.tree_renewal, multiple.warmup_iterations, multiple.prior) == (
        12,
        16,
        16,
        "lstm",
    )
    assert (one.num_simulations, one.tree_renewal, one.prior) == (1, 0, "uniform")
    for search in (multiple, one):
        assert (search.exploration, search.search_children, search.temperature) == (5.0, 0, 1.0)
        assert (search.search_epochs, search.final_epochs, search.search_fraction) == (1, 6, 0.3)
    assert from_values(load_profile("original-one")).child.reductions == 0


@pytest.mark.parametrize("name", ["multiple", "one"])
def test_the_learning_rate_of_the_original_drops_to_a_tenth_after_the_published_epochs(name):
    config = from_values(load_profile(f"original-{name}"))
    for recipe, epochs, drops in (
        (recipe_from_config(config), config.search.final_epochs, (2, 4)),
        (recipe_from_config(config, config.training.train_epochs), config.training.train_epochs, (20, 30)),
    ):
        found = [recipe.rate_at(epoch / epochs) for epoch in range(epochs)]
        assert found == pytest.approx([0.1 * 0.1 ** sum(epoch >= drop for drop in drops) for epoch in range(epochs)])
        assert recipe.rate_at((drops[0] - 0.01) / epochs) == 0.1 and recipe.momentum == 0.9


@pytest.mark.parametrize(
    "name, cell, rate, lowest, decay",
    [
        ("nao-ws", "nao_ws", 0.05, 0.0001, 4e-4),
        ("naonet", "naonet", 0.024, 0.0, 5e-4),
        ("darts-like", "darts_v2", 0.025, 0.0, 3e-4),
    ],
)
def test_final_trainings_of_known_cells_have_the_published_size_and_recipe(name, cell, rate, lowest, decay):
    network, config = given_network(name)
    published, epochs = zoo_cell(cell), config.training.train_epochs
    recipe = recipe_from_config(config, epochs)
    assert (network.filters, network.cells, network.concat_all) == (
        published.filters,
        published.cells,
        published.concat_all,
    )
    assert network.auxiliary_filters == 128
    assert recipe.rate_at(0) == rate and recipe.rate_at(1 - 1e-9) == pytest.approx(lowest, abs=1e-6)
    assert (recipe.momentum, recipe.weight_decay, recipe.gradient_clip, recipe.label_smoothing) == (
        0.9,
        decay,
        5.0,
        0.0,
    )


def test_nao_ws_restarts_five_times():
    _, config = given_network("nao-ws")
    recipe = recipe_from_config(config, 630)
    assert [epoch for epoch in range(1, 630) if recipe.rate_at(epoch / 630) == recipe.learning_rate] == [
        10,
        30,
        70,
        150,
        310,
    ]


def test_zoo_cpu_is_a_small_network_of_a_zoo_cell():
    network, _ = given_network("zoo-cpu")
    assert network.architecture == zoo_cell("naonet").architecture
    assert outline_of(network, CIFAR_SHAPE).multiply_adds <= 1.2e8


@pytest.mark.parametrize("name", NAMES)
def test_a_profile_runs_the_notebooks_that_its_budgets_are_meant_for(name):
    """`trials` and other budgets of a search of days would count in notebooks 07, 08 and 10, too."""
    config = from_values(load_profile(name))
    only = config.run.only.split(",") if config.run.only else [f"{number:02}" for number in range(11)]
    assert "02" not in only or not config.training.architecture
    assert not {"07", "08", "10"} & set(only) or (config.search.trials <= 56 and config.search.iterations == 0)
