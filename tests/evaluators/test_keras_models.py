"""A user's Keras models: budgets, failures that are outcomes, memory, and rewards from the last or the best epoch."""

from __future__ import annotations

import random
import weakref

import keras
import numpy as np
import pytest
import tensorflow as tf

from alphaxenas.contracts import Budget, Proposal
from alphaxenas.evaluators.keras_model import ArrayData, KerasModelEvaluator
from alphaxenas.spaces import StateSpace
from tests.evaluators.test_evaluator_contract import CLASSES, DATA, SIDE, chains, proposal

SPACE = StateSpace(1).add("units", [2, 8])
ASKED, TWO = (0,), Budget(2)


def arrays(count=60, seed=0) -> ArrayData:
    """Points around three corners of a cube."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    points = np.eye(3)[labels] * 2 + rng.normal(0, 0.3, (count, 3))
    return ArrayData(points[: count // 2], labels[: count // 2], points[count // 2 :], labels[count // 2 :])


def dense(architecture, **last) -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(architecture.layers[0]["units"], activation="relu"),
            keras.layers.Dense(**{"units": 3, "activation": "softmax", **last}),
        ]
    )


def evaluate(build=dense, data=None, budget=TWO, tokens=ASKED, **options):
    evaluator = KerasModelEvaluator(SPACE, build, data or arrays(), 10, **{"learning_rate": 0.05, **options})
    return evaluator.evaluate(Proposal(0, tokens, budget))


def test_models_on_arrays_learn_and_count_their_parameters():
    outcome = evaluate(budget=Budget(20), tokens=(1,))
    assert outcome.status == "ok" and outcome.reward > 0.8
    assert outcome.metrics["parameters"] == 3 * 8 + 8 + 8 * 3 + 3


def test_the_same_architecture_gets_the_same_reward_whenever_it_is_asked():
    evaluator = KerasModelEvaluator(SPACE, dense, arrays(), 10)
    outcomes = [
        evaluator.evaluate(Proposal(number, tokens, Budget(2))) for number, tokens in enumerate([(0,), (1,), (0,)])
    ]
    assert (
        (outcomes[0].reward, outcomes[0].metrics)
        == (outcomes[2].reward, outcomes[2].metrics)
        != (outcomes[1].reward, outcomes[1].metrics)
    )


def test_the_fraction_is_really_applied():
    assert evaluate(budget=Budget(1, 0.5)).metrics["images_per_epoch"] == 15
    assert evaluate(budget=Budget(1)).metrics["images_per_epoch"] == 30
    assert "images_per_epoch" not in evaluate(budget=Budget(0)).metrics


def test_logits_are_for_those_who_say_so():
    def linear(architecture):
        return dense(architecture, activation=None)

    assert evaluate(linear, from_logits=True).status == "ok"
    assert "from_logits=True" in evaluate(linear).reason


def test_a_compiled_model_keeps_its_optimiser():
    def still(architecture):
        model = dense(architecture)
        model.compile(keras.optimizers.SGD(0.0), "sparse_categorical_crossentropy")
        return model

    assert evaluate(still, budget=Budget(3)).reward == evaluate(still, budget=Budget(0)).reward
    assert evaluate(budget=Budget(20)).reward != evaluate(budget=Budget(0)).reward


def no_model(architecture):
    return "a model"


def too_few_classes(architecture):
    return dense(architecture, units=2)


def one_number(architecture):
    return keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(3, activation="softmax"), keras.layers.Reshape((3, 1))]
    )


def other_inputs(architecture):
    return keras.Sequential([keras.Input((7,)), keras.layers.Dense(3, activation="softmax")])


def raises(architecture):
    raise ZeroDivisionError("no\nunits")


def out_of_memory(architecture):
    raise MemoryError()


class TestFailures:
    """Each is an outcome that names the architecture; the search goes on."""

    @pytest.mark.parametrize(
        ("build", "message"),
        [
            (no_model, "has to return a keras.Model. Received: str"),
            (too_few_classes, "output does not fit the labels. Expected shape (examples, 3). Received: (2, 2)"),
            (one_number, "output does not fit the labels"),
            (other_inputs, "ValueError"),
            (raises, "ZeroDivisionError for units=2: no"),
            (out_of_memory, "MemoryError for units=2: no message"),
        ],
    )
    def test_failures_are_outcomes(self, build, message):
        outcome = evaluate(build)
        assert (outcome.status, outcome.reward) == ("failed", 0.0)
        assert message in outcome.reason and "units=2" in outcome.reason and "\n" not in outcome.reason

    def test_a_diverging_model_fails(self):
        def wild(architecture):
            model = dense(architecture)
            model.compile(keras.optimizers.SGD(1e30), "sparse_categorical_crossentropy")
            return model

        outcome = evaluate(wild)
        assert outcome.status == "failed" and "finite" in outcome.reason or "became" in outcome.reason

    def test_after_a_failure_the_next_model_is_scored_as_if_nothing_had_happened(self):
        broken = iter([raises, dense])
        evaluator = KerasModelEvaluator(
            SPACE, lambda architecture: next(broken)(architecture), arrays(), 10, learning_rate=0.05
        )
        assert evaluator.evaluate(Proposal(0, ASKED, Budget(2))).status == "failed"
        assert evaluator.evaluate(Proposal(1, ASKED, Budget(2))).reward == evaluate().reward


def test_a_model_is_gone_after_its_evaluation():
    seen = []

    def build(architecture):
        model = dense(architecture)
        seen.append(weakref.ref(model))
        return model

    evaluate(build)
    assert seen[0]() is None


def test_the_test_part_of_image_data_is_never_read():
    """The seeds rewarded by test accuracy (TIT-1, WAL-2); here the test part raises when touched."""

    def build(architecture):
        return keras.Sequential(
            [keras.Input((SIDE, SIDE, 1)), keras.layers.Flatten(), keras.layers.Dense(CLASSES, activation="softmax")]
        )

    outcome = evaluate(build, DATA)
    assert outcome.status == "ok"
    assert outcome.reward * len(DATA.validation) == pytest.approx(round(outcome.reward * len(DATA.validation)))


@pytest.mark.parametrize("labels", [[0, 1], [0.0, 1.0, 2.0], [0, 1, -1], [[0], [1], [2]]])
def test_labels_that_are_none_are_refused(labels):
    with pytest.raises(ValueError, match="`labels`. Expected a whole number >= 0 for each of 3"):
        ArrayData(np.zeros((3, 2)), np.array(labels), np.zeros((1, 2)), np.array([0]))


class TestRewards:
    def test_the_best_epoch_is_at_least_as_good_as_the_last_of_the_same_training(self, monkeypatch):
        accuracies = iter([0.5, 0.75, 0.25] * 2)
        monkeypatch.setattr(
            "alphaxenas.networks.training.loop.CompiledChild.accuracy", lambda self, batches: next(accuracies)
        )
        assert chains(reward="best").evaluate(proposal(epochs=3)).reward == 0.75
        accuracies = iter([0.25])
        assert chains(reward="last").evaluate(proposal(epochs=3)).reward == 0.25

    def test_keras_models_too(self, monkeypatch):
        accuracies = iter([0.5, 0.75, 0.25])
        monkeypatch.setattr(KerasModelEvaluator, "_accuracy", lambda self, model: next(accuracies))
        assert evaluate(budget=Budget(3), reward="best").reward == 0.75

    def test_another_word_is_refused(self):
        for make in (chains, evaluate):
            with pytest.raises(ValueError, match="`reward`. Expected one of last, best"):
                make(reward="first")


def test_an_evaluation_leaves_the_random_states_of_the_process_alone():
    keras.utils.set_random_seed(5)

    def draws():
        return (
            random.random(),
            float(np.random.random()),  # the legacy state is what a user's process may depend on
            float(tf.random.uniform([])),
            float(keras.random.uniform([])),
        )

    expected = [draws(), draws()]
    keras.utils.set_random_seed(5)
    first = draws()
    policy = keras.config.dtype_policy().name
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        assert evaluate().status == "ok" and keras.config.dtype_policy().name == "mixed_bfloat16"
    finally:
        keras.config.set_dtype_policy(policy)
    assert [first, draws()] == expected
