"""Plain convolution nets by configuration: search, final training beside a hand-made net, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from alphaxenas.config import ParameterError, from_values
from alphaxenas.contracts import Budget, Proposal
from alphaxenas.data.images import Part
from alphaxenas.data.pipeline import Batches
from alphaxenas.evaluators import costs
from alphaxenas.evaluators import trained as evaluators_trained
from alphaxenas.networks.options import NetworkOptions
from alphaxenas.networks.outline import outline_of
from alphaxenas.networks.registry import build_network
from alphaxenas.networks.training.fit import affordable, fit
from alphaxenas.pipelines.factory import load_images, make_evaluator, search_space
from alphaxenas.pipelines.final import evaluate_again, train_best
from alphaxenas.pipelines.raters import wishes
from alphaxenas.pipelines.raters.wishes import user_space
from alphaxenas.pipelines.search import search
from alphaxenas.spaces.convnet import ConvNet

RECIPE = {
    "space": "convnet",
    "optimizer": "decoupled",
    "momentum": 0.85,
    "learning_rate": 4.0,
    "train_learning_rate": 4.0,
    "gradient_clip": 0.0,
    "train_gradient_clip": 0.0,
    "rate_schedule": "triangle",
    "lookahead": True,
    "offset_rate": 64.0,
    "whitening_share": 0.5,
    "crop_pad": 1,
    "alternating_flip": True,
    "batch_size": 20,
    "train_batch_size": 20,
}
SMALL = "32 pool conv; 32 pool conv; 32 pool conv; gelu; max"


@pytest.fixture(scope="module")
def arrays(tmp_path_factory):
    """Three classes of noisy images, told apart by the direction of their stripes; and constant ones."""
    folder, rng = tmp_path_factory.mktemp("arrays"), np.random.default_rng(0)
    labels = np.arange(180) % 3
    stripes = np.zeros((3, 10, 10, 3))
    stripes[0, ::2], stripes[1, :, ::2], stripes[2, ::3, ::3] = 1, 1, 1
    pixels = (120 + 60 * stripes[labels] + 20 * rng.standard_normal((180, 10, 10, 3))).clip(0, 255).astype(np.uint8)
    np.savez(folder / "stripes.npz", x=pixels, y=labels)
    np.savez(folder / "constant.npz", x=np.full((180, 10, 10, 3), 7, np.uint8), y=labels)
    return folder


@pytest.fixture
def configured(tmp_path, arrays):
    def made(file="stripes", **values):
        places = {"exp_dir": str(tmp_path / "exp"), "tensorboard_dir": str(tmp_path / "events")}
        if file:
            places |= {"dataset": "arrays", "arrays_path": str(arrays / f"{file}.npz")}
        return from_values({**places, **RECIPE, **values})

    return made


def multiply_adds(net: ConvNet) -> int:
    return outline_of(build_network(net, NetworkOptions(3)), (10, 10, 3)).multiply_adds


def test_a_search_trains_children_from_scratch_for_one_amount_of_work(configured):
    teraflops = 6 * ConvNet.parse(SMALL).multiply_adds(10, 3, 3) * 216e-12  # two epochs of the smallest net
    config = configured(controllers=["random"], trials=2, search_children=1, child_teraflops=teraflops)
    assert make_evaluator(config, load_images(config), 0).state() == {}
    assert search(config, "random", 0)["trained"] == 2


def test_children_learn_from_the_same_few_images_for_as_many_epochs_as_in_full(configured, monkeypatch):
    full = 6 * multiply_adds(ConvNet.parse(SMALL)) * 108 * 4e-12 - 1e-12  # four epochs of all images
    given = {"child_teraflops": full, "fixed_images": True, "search_fraction": 0.25, "batch_size": 9}
    config, trained = configured(**given, width_share=0.5), []

    def spied(child, training, validation, epochs, *arguments, fraction, **further):
        images = [np.asarray(labels) for _, labels in training.epoch(0, 0, fraction, augment=False)]
        trained.append((training, len(training), epochs, fraction, len(np.concatenate(images))))
        return fit(child, training, validation, epochs, *arguments, fraction=fraction, **further)

    monkeypatch.setattr(evaluators_trained, "fit", spied)
    evaluator = make_evaluator(config, load_images(config), 0)
    for purpose, share in (("search", 0.25), ("search", 0.25), ("final", 0.5)):
        tokens = search_space(config).encode(ConvNet.parse(SMALL))
        outcome = evaluator.evaluate(Proposal(len(trained), tokens, Budget(1, share), purpose))
        assert outcome.status == "ok" and outcome.metrics["images_per_epoch"] == 108 * share
        assert (outcome.metrics["epochs_trained"], outcome.metrics["images"]) == (4, 4 * 108 * share)
    assert [entry[1:] for entry in trained] == [(27, 4, 1.0, 27)] * 2 + [(54, 4, 1.0, 54)]
    assert trained[0][0] is trained[1][0]
    with pytest.raises(ValueError, match="batch_size"):
        load_images(configured(fixed_images=True, search_fraction=0.25, batch_size=28))


def test_nets_too_small_for_the_price_of_the_final_training_are_not_suggested(configured):
    least = 20 * multiply_adds(ConvNet.parse(SMALL))
    values = {"train_teraflops": 6 * least * 108 * 4e-12, "train_epochs": 4}
    config, rng = configured(**values), np.random.default_rng(0)
    data, plain = load_images(config), search_space(config)
    space = user_space(config, data)
    assert min(multiply_adds(space.sample(rng)) for _ in range(20)) >= least > multiply_adds(ConvNet.parse(SMALL))
    assert min(multiply_adds(plain.sample(rng)) for _ in range(200)) < least
    with pytest.raises(ValueError, match="epochs 80 is more than `train_epochs` 4"):
        user_space(configured(start_from=[SMALL], **values), data)
    assert user_space(configured(train_teraflops=0.0, train_epochs=4), data) == plain


def test_every_net_is_outlined_once_at_most_whatever_the_limits_ask(configured, monkeypatch):
    outlined, count = [], costs.outline_of

    def counting(network, shape):
        outlined.append(network)
        return count(network, shape)

    monkeypatch.setattr(costs, "outline_of", counting)
    config = configured(train_teraflops=1e-4)
    space, net = user_space(config, load_images(config)), ConvNet.parse(SMALL)
    outlined.clear()
    assert len({space.allows(net) for _ in range(5)}) == 1 and len(outlined) == 1, "the child has no limit"


def test_where_nothing_is_configured_no_stored_latencies_are_read(configured, monkeypatch):
    config = configured(train_teraflops=0.0)
    monkeypatch.setattr(wishes, "network_costs", lambda *_: pytest.fail("nobody asked"))
    assert user_space(config, load_images(config)) == search_space(config)


def test_final_training_beside_a_hand_made_net(configured):
    config = configured(architecture=SMALL, hand_made=SMALL.replace("gelu", "relu"), train_epochs=6, test_views=True)
    results = train_best(config)
    searched, hand_made = results["models"]
    assert (searched["name"], hand_made["name"], results["chosen"]) == ("rank1", "hand_made", 0)
    assert results["test_accuracy"] > 0.7 and results["test_accuracy_of_views"] > 0.7
    assert "with six views" in results["headline"]
    assert {"test_accuracy", "test_accuracy_of_views"} <= hand_made.keys() and "test_accuracy" not in searched
    models = Path(config.run.exp_dir, "quick", "final", "models")
    numbers = json.loads((models / "hand_made.card.json").read_text())["numbers"]
    assert numbers["test_accuracy"] == hand_made["test_accuracy"] and numbers["test_interval_95"]
    file = models / "rank1.keras"
    again = evaluate_again(config, file)
    assert all(again[name] == results[name] for name in ("test_accuracy", "test_accuracy_of_views"))


@pytest.mark.parametrize(
    ("epochs_worth", "epochs", "batches"), [(0.5, 1, 5), (1.0, 1, 10), (2.5, 3, 8), (99.0, 4, 10), (1e-9, 1, 1)]
)
def test_work_is_spent_in_epochs_of_whole_batches(epochs_worth, epochs, batches):
    part = Part(np.zeros((1003, 9, 9, 1), np.uint8), np.zeros(1003, np.int32))
    training = Batches(part, np.zeros(1), np.ones(1), batch_size=100)
    found, fraction = affordable(epochs_worth * 6 * 2_000_000 * 1003 * 1e-12, 2_000_000, training, 4)
    assert (found, training.steps(fraction)) == (epochs, batches)
    assert {len(labels) for _, labels in training.epoch(0, 0, fraction)} == {100}


class TestRefusals:
    def test_images_that_are_too_small(self, configured):
        with pytest.raises(ValueError, match="`dataset`.*at least 9x9.*8x8"):
            load_images(configured(file="", dataset="digits"))

    @pytest.mark.parametrize("name", ["batch_size", "train_batch_size"])
    def test_a_batch_larger_than_the_data(self, configured, name):
        with pytest.raises(ValueError, match=f"`{name}`.*at most 108.*Received: 109"):
            load_images(configured(**{name: 109}))

    def test_a_whitening_of_constant_images(self, configured):
        with pytest.raises(ValueError, match="`dataset`.*patches can be whitened"):
            train_best(configured(file="constant", architecture=SMALL, train_epochs=1))

    def test_a_final_training_that_cannot_fit_its_minutes(self, configured):
        with pytest.raises(ValueError, match="`train_minutes`.*at least .* for 600 steps.*Received: 0.0001"):
            train_best(configured(architecture=SMALL, train_epochs=100, train_minutes=0.0001))

    @pytest.mark.parametrize(
        ("values", "name"),
        [
            ({"space": "cell"}, "optimizer"),
            ({"space": "cell", "optimizer": "momentum"}, "rate_schedule"),
            ({"train_average": 0.9}, "train_average"),
            ({"augment": False}, "augment"),
            ({"whitening_share": 1.5}, "whitening_share"),
            ({"offset_rate": 0.0}, "offset_rate"),
        ],
    )
    def test_parameters_that_do_not_go_together(self, configured, values, name):
        with pytest.raises(ParameterError, match=f"`{name}`"):
            configured(**values)

    def test_an_architecture_of_another_space(self, configured):
        with pytest.raises(ValueError, match="`architecture`.*3 stages"):
            train_best(configured(architecture="prev:conv3x3 + prev2:identity"))
