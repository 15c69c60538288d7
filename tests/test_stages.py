"""From a configuration to run folders: what is built, at which price, and what is said when something is missing."""

import pytest

from alphaxenas.children.outline import outline_of
from alphaxenas.config import CONTROLLERS, ParameterError, from_values
from alphaxenas.controllers.alphaxenas import AlphaXENAS
from alphaxenas.controllers.random_search import RandomSearch
from alphaxenas.controllers.rounds import Rounds
from alphaxenas.devices import prepare_tensorflow
from alphaxenas.spaces.cell import Cell
from alphaxenas.stages import cell_space, chosen_architectures, final_network, load_images, make_controller, search

TEXT = "prev:conv5x5 + prev2:conv3x3; b0:conv7x7 | b0:identity"


def configured(tmp_path, **values):
    return from_values({"exp_dir": str(tmp_path / "exp"), "tensorboard_dir": str(tmp_path / "events"), **values})


def test_a_price_lowers_the_filters_of_a_costly_architecture_only(tmp_path):
    config = configured(tmp_path, train_multiply_adds=2.0)
    data = load_images(config)
    costly, cheap = Cell.from_text(TEXT), Cell.from_text("prev:conv1x1 + prev2:identity")
    network = final_network(config, costly, data)
    assert network.filters < config.training.train_filters
    assert outline_of(network, data.image_shape).multiply_adds <= 2e6
    assert final_network(config, cheap, data).filters == config.training.train_filters


def test_an_impossible_price_names_the_parameter(tmp_path):
    config = configured(tmp_path, train_multiply_adds=0.001)
    with pytest.raises(ValueError, match="train_multiply_adds"):
        final_network(config, Cell.from_text(TEXT), load_images(config))


def test_a_given_architecture_needs_no_search(tmp_path):
    assert [str(cell) for cell in chosen_architectures(configured(tmp_path, architecture=TEXT))] == [TEXT]
    json_text = Cell.from_text(TEXT).to_json()
    assert [str(cell) for cell in chosen_architectures(configured(tmp_path, architecture=json_text))] == [TEXT]


def test_a_given_architecture_with_an_unknown_operation_names_the_nearest(tmp_path):
    with pytest.raises(ValueError, match="conv3x3"):
        chosen_architectures(configured(tmp_path, architecture="prev:conv3x4 + prev:identity"))


def test_final_training_without_search_says_what_to_run(tmp_path):
    with pytest.raises(ValueError, match="notebook 02"):
        chosen_architectures(configured(tmp_path))


def test_both_controllers_get_the_same_budgets(tmp_path):
    config = configured(tmp_path, search_epochs=2, search_fraction=0.5, final_epochs=5)
    space = cell_space(config)
    ours, random = make_controller(config, "alphaxenas", space, 0), make_controller(config, "random", space, 0)
    assert isinstance(ours, AlphaXENAS) and isinstance(random, Rounds) and isinstance(random.strategy, RandomSearch)
    assert ours.ask().budget == random.ask().budget


def test_a_dry_run_trains_nothing_and_still_plays_whole_games(tmp_path):
    config = configured(
        tmp_path, search_epochs=0, final_epochs=0, trials=0, iterations=2, search_children=2, filters=4, cells=1, reductions=0,
        blocks=1, lstm_steps=2, fraction=0.2,
    )
    results = search(config, "alphaxenas", 0)
    assert (results["iterations"], results["trained"], results["failed"]) == (2, 0, 0)


@pytest.mark.parametrize("controller", [name for name in CONTROLLERS if name not in ("alphaxenas", "random")])
def test_every_controller_searches_images(tmp_path, controller):
    config = configured(
        tmp_path, search_epochs=0, final_epochs=0, trials=0, iterations=2, search_children=3, filters=4, cells=1, reductions=0,
        blocks=1, operations=["conv1x1", "identity"], fraction=0.2,
    )
    results = search(config, controller, 0)
    assert (results["iterations"], results["evaluations"], results["failed"]) == (2, 8, 0)


def test_controllers_take_their_parameters(tmp_path):
    config = configured(tmp_path, evolution_population=7, evolution_sample=3, uct_exploration=0.4, alphax_rollouts=2)
    space = cell_space(config)
    evolution, uct, alphax = (make_controller(config, name, space, 0).strategy for name in ("evolution", "uct", "alphax"))
    assert (evolution._size, evolution._sample) == (7, 3)
    assert (uct.nodes._exploration, alphax._rollouts) == (0.4, 2)


def test_a_dry_run_needs_a_limit_that_counts_something(tmp_path):
    with pytest.raises(ParameterError, match="iterations"):
        configured(tmp_path, search_epochs=0, final_epochs=0)


def test_a_uniform_share_needs_children_drawn_per_game(tmp_path):
    with pytest.raises(ParameterError, match="uniform_share"):
        configured(tmp_path, search_children=0, uniform_share=0.5)


def test_cutout_without_augmentation_is_refused(tmp_path):
    with pytest.raises(ParameterError, match="augment"):
        configured(tmp_path, augment=False, cutout=4)


def test_tensorflow_is_prepared_twice_without_complaint():
    assert prepare_tensorflow(0)[0].startswith("CPU")
    assert prepare_tensorflow(0) == prepare_tensorflow(0)
