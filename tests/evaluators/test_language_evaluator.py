"""The evaluator of recurrent cells keeps the contract, from scratch and with shared weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from alphaxenas.contracts import Budget, Proposal
from alphaxenas.data.text import TextData, load_text
from alphaxenas.evaluators.language import LanguageEvaluator
from alphaxenas.evaluators.trained import DivergedError
from alphaxenas.networks.language.model import LanguageModel
from alphaxenas.networks.language.recipe import LanguageRecipe
from alphaxenas.runs.checkpoint import pack, unpack
from alphaxenas.spaces.recurrent import RecurrentSpace

SPACE = RecurrentSpace(2)
RECIPE = LanguageRecipe(batch_size=16, window=20, learning_rate=5.0)


class Untouchable:
    def __getattr__(self, name):
        raise AssertionError(f"the test part was asked for `{name}`")


@pytest.fixture(scope="module")
def data():
    text = load_text("grammar")
    return TextData("grammar", text.vocabulary, text.train[:4000], text.validation[:500], Untouchable())


def proposal(number, cell, **further):
    return Proposal(number, SPACE.encode(SPACE.parse(cell)), Budget(1, 0.4), **further)


def numbers(outcome):
    return replace(outcome, seconds=0.0)


ASKED = (proposal(0, "tanh(0); relu(1)"), proposal(1, "sigmoid(0); identity(0)"), proposal(2, "tanh(0); relu(0)"))


@pytest.mark.parametrize("shared", [False, True], ids=["from scratch", "shared weights"])
def test_outcomes_repeat_and_continue_bit_for_bit(data, shared):
    def make():
        return LanguageEvaluator(SPACE, data, RECIPE, 12, 0, shared, warmup_epochs=0.4)

    whole, first = make(), make()
    expected = [numbers(whole.evaluate(each)) for each in ASKED]
    assert all(outcome.status == "ok" and 0.0 < outcome.reward < 1.0 for outcome in expected)
    assert [numbers(first.evaluate(each)) for each in ASKED[:2]] == expected[:2]
    second = make()
    second.restore(unpack(pack(first.state())))
    assert numbers(second.evaluate(ASKED[2])) == expected[2]
    assert pack(second.state()) == pack(whole.state())


def test_what_must_not_move_the_shared_weights_does_not(data):
    evaluator = LanguageEvaluator(SPACE, data, RECIPE, 12, 0, True, warmup_epochs=0.4)
    evaluator.evaluate(ASKED[0])
    before = pack(evaluator.state())
    evaluator.evaluate(proposal(1, "tanh(0); relu(0)", updates_shared_weights=False))
    final = evaluator.evaluate(proposal(2, "tanh(0); relu(0)", purpose="final"))
    assert pack(evaluator.state()) == before
    scratch = LanguageEvaluator(SPACE, data, RECIPE, 12, 0)
    assert final.reward == scratch.evaluate(proposal(0, "tanh(0); relu(0)")).reward


def test_a_child_that_diverges_fails_and_leaves_the_shared_weights(data):
    wild = replace(RECIPE, learning_rate=1e30, clip=0.0)
    evaluator = LanguageEvaluator(SPACE, data, wild, 12, 0, True, warmup_epochs=0.0)
    before = pack(evaluator.state())
    outcome = evaluator.evaluate(ASKED[0])
    assert (
        (outcome.status, outcome.reward) == ("failed", 0.0)
        and "not finite" in outcome.reason
        or "became" in outcome.reason
    )
    assert pack(evaluator.state()) == before
    assert np.isfinite(evaluator.state()["weights"]["weights"]["nodes"]).all()


def test_a_warm_up_that_explodes_leaves_out_its_windows_and_the_search_goes_on(data, monkeypatch):
    train, calls = LanguageModel.train_window, []

    def explodes_once(self, *arguments):
        calls.append(1)
        if len(calls) == 2:
            raise DivergedError("The loss became nan")
        return train(self, *arguments)

    monkeypatch.setattr(LanguageModel, "train_window", explodes_once)
    evaluator = LanguageEvaluator(SPACE, data, RECIPE, 12, 0, True, warmup_epochs=0.4)
    assert evaluator.evaluate(ASKED[0]).status == "ok"
    windows = evaluator._reader.windows
    assert evaluator.state()["position"] == 2 * round(0.4 * windows) == len(calls)


@pytest.mark.parametrize("fraction", [0.2, 0.6])
def test_nao10_the_learning_rate_falls_to_the_end_of_each_child(data, monkeypatch, fraction):
    """NAO-10: the published rate falls over 100 epochs, of which 25 are trained, so it never becomes small."""
    train, rates = LanguageModel.train_window, []

    def noting(self, inputs, targets, weights, state, rate, *rest):
        rates.append(rate)
        return train(self, inputs, targets, weights, state, rate, *rest)

    monkeypatch.setattr(LanguageModel, "train_window", noting)
    evaluator = LanguageEvaluator(SPACE, data, RECIPE, 12, 0)
    evaluator.evaluate(replace(ASKED[0], budget=Budget(1, fraction)))
    steps = round(fraction * evaluator._reader.windows)
    assert rates == pytest.approx(np.linspace(5.0, 0.0, steps + 1)[:-1].tolist())
