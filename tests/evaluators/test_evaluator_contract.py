"""What every evaluator promises (`alphaxenas.contracts.Evaluator`): add a factory here and every test runs on it.

A factory returns a fresh evaluator on `SPACE`; those of `TRAINED` take keyword arguments of `TrainedEvaluator` and use
`DATA`.
"""

from __future__ import annotations

import gc
from dataclasses import replace

import keras
import numpy as np
import pytest

from alphaxenas.contracts import Budget, Proposal
from alphaxenas.data.images import ImageData, Part
from alphaxenas.evaluators import trained
from alphaxenas.evaluators.keras_model import KerasModelEvaluator
from alphaxenas.evaluators.trained import ChildTraining, TrainedEvaluator
from alphaxenas.networks.cell import CellNetwork
from alphaxenas.networks.chain import ChainNetwork
from alphaxenas.networks.training.loop import CompiledChild, Recipe
from alphaxenas.runs.checkpoint import pack, unpack
from alphaxenas.spaces import CellSpace, StateSpace

SPACE = CellSpace(blocks=1, operations=("conv3x3", "sep3x3", "identity"))
FIRST, SECOND = (
    SPACE.encode(SPACE.parse(text)) for text in ("prev:conv3x3 + prev2:identity", "prev2:sep3x3 | prev:identity")
)
CLASSES, SIDE = 3, 6
RECIPE = Recipe(learning_rate=0.05)


def part(count: int, seed: int) -> Part:
    """Images whose brightness tells their class."""
    rng, labels = np.random.default_rng(seed), (np.arange(count) % CLASSES).astype(np.int32)
    return Part(
        rng.integers(0, 100, (count, SIDE, SIDE, 1), np.uint8) + (60 * labels).astype(np.uint8)[:, None, None, None],
        labels,
    )


class Untouchable:
    """A test part that nobody may look at."""

    def __getattr__(self, name):
        raise AssertionError(f"the test part was asked for `{name}`")


STATISTICS = (np.full(1, 0.4, np.float32), np.full(1, 0.3, np.float32))
DATA = ImageData("stripes", part(40, 0), part(31, 1), Untouchable(), *STATISTICS, ("a", "b", "c"), True)


def build(cell) -> CellNetwork:
    return CellNetwork(cell, CLASSES, filters=2, cells=2, reductions=1, drop_path=0.1)


def evaluator_of(space, build, data, recipe, seed, **settings) -> TrainedEvaluator:
    return TrainedEvaluator(space, build, data, recipe, ChildTraining(**settings), seed)


def shared_weights(**options) -> TrainedEvaluator:
    return evaluator_of(SPACE, build, **{"data": DATA, "recipe": RECIPE, "batch_size": 12, "seed": 0, **options})


def from_scratch(**options) -> TrainedEvaluator:
    return shared_weights(share_weights=False, **options)


CHAINS = StateSpace(1).add("kernel", [1, 3, 5]).add("filters", [4, 8]).add("dropout", [0.0, 0.2])
"""Its first games are no games of `SPACE`: `chains` and `keras_models` translate the proposals' tokens."""
GAMES = {
    FIRST: CHAINS.encode(CHAINS.parse("kernel=3, filters=8, dropout=0.2")),
    SECOND: CHAINS.encode(CHAINS.parse("kernel=1, filters=4, dropout=0.0")),
}


class Translated:
    """`CHAINS` under the tokens of `SPACE`."""

    def decode(self, tokens):
        return CHAINS.decode(GAMES[tokens])


def chains(**options) -> TrainedEvaluator:
    adam = Recipe(learning_rate=0.02, weight_decay=0.0, gradient_clip=0.0, optimizer="adam")
    settings = {
        "data": DATA,
        "recipe": adam,
        "batch_size": 12,
        "seed": 0,
        "share_weights": False,
        "reward": "best",
        **options,
    }
    return evaluator_of(Translated(), lambda chain: ChainNetwork(chain, CLASSES), **settings)


def keras_model(chain) -> keras.Model:
    layer = chain.layers[0]
    return keras.Sequential(
        [
            keras.Input((SIDE, SIDE, 1)),
            keras.layers.Conv2D(layer["filters"], layer["kernel"], activation="relu"),
            keras.layers.Dropout(layer["dropout"]),
            keras.layers.Flatten(),
            keras.layers.Dense(CLASSES, activation="softmax"),
        ]
    )


def keras_models(**options) -> KerasModelEvaluator:
    return KerasModelEvaluator(
        Translated(), **{"build": keras_model, "data": DATA, "batch_size": 12, "learning_rate": 0.02, **options}
    )


TRAINED = {"shared_weights": shared_weights, "from_scratch": from_scratch}
FACTORIES = TRAINED | {"chains": chains, "keras_models": keras_models}


@pytest.fixture(params=FACTORIES)
def make_evaluator(request):
    return FACTORIES[request.param]


@pytest.fixture(params=TRAINED)
def make_trained(request):
    return TRAINED[request.param]


def proposal(number=0, tokens=FIRST, epochs=1, fraction=1.0) -> Proposal:
    return Proposal(number, tokens, Budget(epochs, fraction))


def numbers(outcome):
    """Everything in an outcome but its wall time."""
    return replace(outcome, seconds=0.0)


def bits(state) -> bytes:
    return pack(state)


class TestEvaluatorContract:
    def test_an_outcome_answers_its_proposal_with_a_reward_in_the_unit_interval(self, make_evaluator):
        asked = proposal(epochs=4)
        outcome = make_evaluator().evaluate(asked)
        assert outcome.proposal is asked and outcome.status == "ok" and outcome.reason == ""
        assert type(outcome.reward) is float and 0 < outcome.reward <= 1 and outcome.seconds > 0
        assert all(type(name) is str and np.isfinite(number) for name, number in outcome.metrics.items())

    def test_the_same_run_gives_the_same_numbers_bit_for_bit(self, make_evaluator):
        asked = [proposal(0), proposal(1, SECOND, 2, 0.5)]
        first, second = (
            [numbers(evaluator.evaluate(each)) for each in asked] for evaluator in (make_evaluator(), make_evaluator())
        )
        assert first == second

    def test_restored_from_a_stored_state_it_goes_on_bit_for_bit(self, make_evaluator):
        evaluator, asked = make_evaluator(), [proposal(0), proposal(1, SECOND), proposal(2)]
        expected = [numbers(evaluator.evaluate(each)) for each in asked]
        first, second = make_evaluator(), make_evaluator()
        assert numbers(first.evaluate(asked[0])) == expected[0]
        second.restore(unpack(pack(first.state())))
        assert [numbers(second.evaluate(each)) for each in asked[1:]] == expected[1:]
        assert bits(second.state()) == bits(evaluator.state())

    def test_a_state_is_not_changed_by_evaluating_on(self, make_evaluator):
        evaluator = make_evaluator()
        evaluator.evaluate(proposal())
        state = evaluator.state()
        before = bits(state)
        evaluator.evaluate(proposal(1))
        assert bits(state) == before


class TestTraining:
    def test_a_reward_is_a_validation_accuracy_better_than_chance(self, make_trained):
        outcome = make_trained().evaluate(proposal(epochs=4))
        assert outcome.reward * len(DATA.validation) == pytest.approx(round(outcome.reward * len(DATA.validation)))
        assert 1 / CLASSES < outcome.reward
        told = {"loss", "train_accuracy", "images_per_epoch", "epochs_trained", "images", "parameters", "multiply_adds"}
        assert set(outcome.metrics) == told

    def test_the_budget_is_really_spent(self, make_trained, monkeypatch):
        seen = []

        def counted(self, batches, *rest, train_epoch=CompiledChild.train_epoch):
            result = train_epoch(self, batches, *rest)
            seen.append(result.images)
            return result

        monkeypatch.setattr("alphaxenas.networks.training.loop.CompiledChild.train_epoch", counted)
        outcome = make_trained().evaluate(proposal(epochs=3, fraction=0.3))
        assert seen == [12, 12, 12] and outcome.metrics["images_per_epoch"] == 12
        assert (outcome.metrics["epochs_trained"], outcome.metrics["images"]) == (3, 36)
        make_trained().evaluate(proposal(epochs=1))
        assert seen[3:] == [40]

    def test_another_seed_gives_other_numbers(self, make_trained):
        assert (
            make_trained().evaluate(proposal()).metrics["loss"]
            != make_trained(seed=1).evaluate(proposal()).metrics["loss"]
        )

    def test_a_diverging_child_fails_with_a_reason_and_leaves_no_trace(self, make_trained):
        evaluator = make_trained()
        evaluator.evaluate(proposal())
        before = bits(evaluator.state())
        wild = make_trained(recipe=replace(RECIPE, learning_rate=1e30))
        wild.restore(evaluator.state())
        for tokens in (FIRST, SECOND):
            outcome = wild.evaluate(proposal(1, tokens))
            assert (outcome.status, outcome.reward) == ("failed", 0.0)
            assert "finite" in outcome.reason or "became" in outcome.reason
            assert "\n" not in outcome.reason
            assert outcome.metrics["parameters"] > 0 and outcome.metrics["images"] == 40
            assert bits(wild.state()) == before

    def test_a_budget_of_zero_epochs_scores_without_training(self, make_trained):
        evaluator = make_trained()
        evaluator.evaluate(proposal(epochs=3))
        before = bits(evaluator.state())
        first, second = (evaluator.evaluate(proposal(1, epochs=0)) for _ in range(2))
        assert numbers(first) == numbers(second) and first.status == "ok" and 0 <= first.reward <= 1
        assert "images_per_epoch" not in first.metrics
        assert bits(evaluator.state()) == before

    def test_parameters_and_cost_are_those_of_the_architecture(self, make_trained):
        evaluator = make_trained()
        first, second = (evaluator.evaluate(proposal(0, tokens, 0)).metrics for tokens in (FIRST, SECOND))
        assert first["parameters"] != second["parameters"] and first["multiply_adds"] != second["multiply_adds"]


class TestSharedWeights:
    def test_a_child_goes_on_from_what_the_children_before_it_learned(self):
        evaluator = shared_weights()
        losses = [evaluator.evaluate(proposal(number, epochs=2)).metrics["loss"] for number in range(3)]
        assert losses[2] < 0.8 * losses[0]

    def test_what_a_child_learns_is_kept_only_if_the_proposal_says_so(self):
        evaluator = shared_weights()
        evaluator.evaluate(proposal(0))
        before = evaluator.state()
        rewards = [evaluator.evaluate(replace(proposal(1), updates_shared_weights=False)).reward for _ in range(2)]
        assert rewards[0] == rewards[1]
        assert pack(evaluator.state()) == pack(before)
        evaluator.evaluate(proposal(1))
        assert pack(evaluator.state()) != pack(before)

    def test_proposals_draw_different_images_and_augmentations(self):
        first, second = shared_weights(), shared_weights()
        assert first.evaluate(proposal(0)).metrics["loss"] != second.evaluate(proposal(5)).metrics["loss"]

    def test_scoring_anew_tells_a_trained_path_from_an_untrained_one(self):
        evaluator = shared_weights()
        untrained = evaluator.evaluate(proposal(0, epochs=0)).reward
        trained = evaluator.evaluate(proposal(1, epochs=8)).reward
        again = evaluator.evaluate(proposal(2, epochs=0)).reward
        assert again == pytest.approx(trained, abs=0.15) and again > untrained

    def test_only_the_path_of_the_evaluated_child_moves(self):
        evaluator = shared_weights()
        evaluator.evaluate(proposal(0, FIRST))
        before = evaluator.state()
        evaluator.evaluate(proposal(1, SECOND))
        moved = {
            name
            for part in before
            for name in before[part]
            if not np.array_equal(before[part][name], evaluator.state()[part][name])
        }
        assert not any("conv3x3" in name for name in moved) and "stem/kernel" in moved

    def test_a_final_starts_from_scratch_and_leaves_no_trace_in_the_shared_weights(self):
        evaluator, final = shared_weights(), replace(proposal(2, epochs=2), purpose="final")
        alone = from_scratch().evaluate(final)
        evaluator.evaluate(proposal(0, epochs=3))
        before = pack(evaluator.state())
        for number in (2, 7):
            outcome = evaluator.evaluate(replace(final, number=number))
            assert (outcome.reward, outcome.metrics) == (alone.reward, alone.metrics)
        assert pack(evaluator.state()) == before

    def test_a_final_goes_on_from_shared_weights_where_asked(self):
        evaluator, final = shared_weights(final_weights="shared"), replace(proposal(2, epochs=2), purpose="final")
        evaluator.evaluate(proposal(0, epochs=3))
        before = pack(evaluator.state())
        assert evaluator.evaluate(final).metrics["loss"] < from_scratch().evaluate(final).metrics["loss"]
        assert pack(evaluator.state()) != before

    @pytest.mark.parametrize("name", ["reward", "final_weights"])
    def test_an_unknown_choice_is_refused(self, name):
        with pytest.raises(ValueError, match=f"`{name}`. Expected .*, .*. Received: 'mean'"):
            shared_weights(**{name: "mean"})


def test_what_was_there_before_the_first_evaluator_is_set_aside_once():
    shared_weights()
    frozen = gc.get_freeze_count()
    later = [[] for _ in range(1000)]
    shared_weights()
    assert 100_000 < gc.get_freeze_count() <= frozen and later


class TestFromScratch:
    def test_the_same_architecture_gets_the_same_reward_whenever_it_is_asked(self):
        evaluator = from_scratch()
        first = evaluator.evaluate(proposal(0))
        evaluator.evaluate(proposal(1, SECOND))
        again = evaluator.evaluate(proposal(2))
        assert (again.reward, again.metrics) == (first.reward, first.metrics)

    def test_nothing_is_carried_over(self):
        evaluator = from_scratch()
        evaluator.evaluate(proposal())
        assert evaluator.state() == {}


def test_statistics_are_measured_on_images_as_in_validation(monkeypatch):
    """Not on augmented and cut-out ones, which no child is validated on."""
    seen = []
    monkeypatch.setattr(
        trained.CompiledChild, "calibrate", lambda self, batches: seen.append([x.numpy() for x, _ in batches])
    )
    for options in ({"augment": True, "cutout": 2}, {"augment": False}):
        shared_weights(**options).evaluate(proposal(epochs=0))
    assert len(seen) == 2 and all(np.array_equal(ours, theirs) for ours, theirs in zip(*seen, strict=True))
