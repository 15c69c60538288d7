"""Shared weights of all recurrent cells: ENAS's phases and NAO's pool over text; published defects do not return."""

from __future__ import annotations

import itertools
import json
import math

import numpy as np
import pytest

from alphaxenas.config import ParameterError, from_values
from alphaxenas.controllers.policy_gradient.attention_policy import AttentionPolicy, PolicySettings
from alphaxenas.data.text import TextData, load_text
from alphaxenas.networks.language.model import LanguageModel
from alphaxenas.networks.language.recipe import LanguageRecipe
from alphaxenas.pipelines.recurrent import found_cells, recurrent_space, search
from alphaxenas.runs.checkpoint import pack, unpack
from alphaxenas.runs.interruption import Interruption
from alphaxenas.runs.journal import same_record
from alphaxenas.spaces.recurrent import ACTIVATIONS, RecurrentSpace
from alphaxenas.supernet.shared_weights import TextWeights

SPACE = RecurrentSpace(2)
RECIPE = LanguageRecipe(batch_size=16, window=20, learning_rate=5.0)
CELLS = tuple(map(SPACE.parse, ("tanh(0); relu(1)", "sigmoid(0); identity(0)", "relu(0); tanh(0)")))
TINY = {
    "blocks": 2, "units": 8, "batch_size": 16, "window": 20, "learning_rate": 5.0, "enas_rounds": 2,
    "enas_fraction": 0.3, "enas_policy_steps": 2, "enas_samples": 2, "enas_reward_images": 100, "enas_derive": 3,
    "nao_pool": 6, "nao_new": 2, "nao_rounds": 2, "nao_epochs": 1, "nao_subset": 200,
}  # fmt: skip


class Untouchable:
    def __getattr__(self, name):
        raise AssertionError(f"the test part was asked for `{name}`")


@pytest.fixture(scope="module")
def data():
    text = load_text("grammar")
    return TextData("grammar", text.vocabulary, text.train[:4000], text.validation[:700], text.test[:100])


@pytest.fixture(scope="module")
def made(data):
    hidden = TextData("grammar", data.vocabulary, data.train, data.validation, Untouchable())
    weights = TextWeights(SPACE, hidden, RECIPE, 8, 0)
    return weights, weights.state()


@pytest.fixture
def weights(made, data, monkeypatch):
    """As they were made, so that their graphs are traced once."""
    weights, state = made
    weights.restore(state)
    monkeypatch.setattr(weights, "_data", weights._data)
    return weights


def constant(rate):
    return lambda step: (rate, 0.0)


def configured(folder, **values):
    places = {"exp_dir": str(folder / "exp"), "tensorboard_dir": str(folder / "events")}
    return from_values({**places, **TINY, **values})


def journal(folder, stage):
    return [json.loads(line) for line in (folder / "exp" / "quick" / stage / "trials.jsonl").read_text().splitlines()]


def test_a_pass_trains_a_share_of_the_text_and_the_next_goes_on_where_it_ended(weights, data):
    taken = []
    cells = itertools.cycle(CELLS)
    found = weights.train("enas", 0, (taken.append(1) or next(cells) for _ in itertools.count()), constant(5.0), 0.3)
    steps = weights.steps(0.3)
    assert len(taken) == steps == round(0.3 * weights.steps()) and found["words"] == steps * 16 * 20
    assert found["left_out"] == 0 and found["train_perplexity"] == pytest.approx(math.exp(found["loss"]))
    assert weights.state()["position"] == steps
    weights.train("enas", 1, cells, constant(5.0), 0.3)
    assert weights.state()["position"] == 2 * steps


def test_passes_continue_bit_for_bit_from_a_checkpoint(weights, data):
    weights.train("enas", 0, itertools.cycle(CELLS), constant(5.0), 0.2)
    again = TextWeights(SPACE, data, RECIPE, 8, 0)
    again.restore(unpack(pack(weights.state())))
    for one in (weights, again):
        one.train("enas", 1, itertools.cycle(CELLS), constant(5.0), 0.2)
    assert pack(again.state()) == pack(weights.state())


def test_a_window_that_explodes_is_left_out_and_spoils_no_weights(weights):
    wild = iter([5.0, 1e38, 5.0, 5.0])
    found = weights.train("enas", 0, itertools.cycle(CELLS), lambda step: (next(wild, 5.0), 0.0), 0.2)
    assert 0 < found["left_out"] and math.isfinite(found["loss"])
    assert all(np.isfinite(array).all() for array in weights.state()["model"]["weights"].values())


def test_a_reward_is_that_of_the_perplexity_and_its_error_falls_with_the_words(weights, data):
    weights.train("enas", 0, itertools.cycle(CELLS), constant(5.0))
    (whole,) = weights.rate(CELLS[:1], 0)
    loss = weights.model.loss(data.validation, weights._core.describe(CELLS[0]))
    assert whole.reward == pytest.approx(1 - loss / math.log(len(data.vocabulary)), abs=0.01)
    assert f"{math.exp((1 - whole.reward) * math.log(len(data.vocabulary))):.2f}" in weights.describe(whole.reward)
    (part,) = weights.rate(CELLS[:1], 0, 0, 100)
    assert 0 < whole.error < part.error < 0.2
    again = weights.rate(CELLS, 0, 0, 100)
    assert again[0] == part and len(set(again)) == 3


def test_few_words_are_rated_with_a_state_that_is_carried_through_them(weights, data):
    weights.train("enas", 0, itertools.cycle(CELLS), constant(5.0))
    state = weights.state()
    large = {name: array if "b" in name else 20 * array for name, array in state["model"]["weights"].items()}
    weights.restore({**state, "model": {**state["model"], "weights": large}})
    weights._data = TextData("grammar", data.vocabulary, data.train, data.validation[:100], data.test)
    (rated,) = weights.rate(CELLS[:1], 0)
    losses = [weights.model.loss(data.validation[:100], weights._core.describe(CELLS[0]), count) for count in (1, 5)]
    carried, cold = (1 - loss / math.log(len(data.vocabulary)) for loss in losses)
    assert rated.reward == pytest.approx(carried, abs=1e-6) and abs(carried - cold) > 5e-6


def test_nao8_rewards_come_from_anywhere_in_the_validation_text(weights, data, monkeypatch):
    """NAO-8: the published evaluation only ever read the first 1/35 of the validation text."""
    seen, places = [], range(len(data.validation))
    numbered = TextData("grammar", data.vocabulary, data.train, np.array(places, np.int32), data.test)
    weights._data = numbered
    monkeypatch.setattr(LanguageModel, "window_losses", lambda _, words, *rest: seen.append(words) or [np.ones(3)])
    for step in range(40):
        weights.rate(CELLS[:2], 7, step, 100)
    first, second = seen[::2], seen[1::2]
    assert all(np.array_equal(one, other) for one, other in zip(first, second)), "cells are rated on the same words"
    assert all(len(words) == 100 for words in seen)
    assert len(set(np.concatenate(first).tolist())) > 0.95 * len(places)
    weights.rate(CELLS[:1], 7)
    assert np.array_equal(seen[-1], numbered.validation), "the derivation reads the whole text"


def test_scores_of_words_lie_side_by_side_and_their_mean_is_the_reward(weights, data):
    weights.train("enas", 0, itertools.cycle(CELLS), constant(5.0))
    scores = np.concatenate(list(weights.scores(CELLS, 0)), axis=1)
    assert scores.shape == (3, len(data.validation))
    losses = [weights.model.loss(data.validation, weights._core.describe(cell)) for cell in CELLS]
    assert scores.mean(1) == pytest.approx([1 - loss / math.log(len(data.vocabulary)) for loss in losses], rel=1e-5)


@pytest.mark.parametrize("space", [RecurrentSpace(3), RecurrentSpace(2, choose_first=True, output="unused")], ids=str)
def test_the_policy_proposes_every_input_and_all_four_activations(space):
    """ENAS-5: the published policy had two of the four activations."""
    policy = AttentionPolicy(space, 0, PolicySettings(units=4))
    tokens = np.stack(np.meshgrid(*space.legal_at[:-1], indexing="ij"), -1).reshape(-1, space.max_length)
    assert len(tokens) == space.size()
    assert np.exp(policy.evaluate(tokens).log_probabilities).sum() == pytest.approx(1.0, rel=1e-3)
    drawn = [space.decode(one) for one in policy.sample(100)]
    assert {name for cell in drawn for name in cell.activations[not space.choose_first :]} == set(ACTIVATIONS)
    assert {node.input for cell in drawn for node in cell.nodes} == set(range(space.nodes))


def test_the_policy_learns_which_activation_pays():
    policy = AttentionPolicy(
        SPACE, 0, PolicySettings(units=8, learning_rate=0.03, baseline_decay=0.8, tanh_constant=2.5)
    )

    def share():
        return np.mean([str(SPACE.decode(tokens)).count("relu") / 2 for tokens in policy.sample(100)])

    before = share()
    for _ in range(40):
        drawn = policy.sample(10)
        policy.learn(drawn, [str(SPACE.decode(tokens)).count("relu") / 2 for tokens in drawn])
    assert share() > before + 0.2


@pytest.fixture(scope="module")
def searched(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("enas")
    config = configured(folder)
    return folder, {name: search(config, name, 0, data) for name in ("enas", "nao_shared")}


def test_enas_leaves_rounds_then_ranked_cells(searched, data):
    folder, results = searched
    records = journal(folder, "recurrent-enas-seed0")
    rounds, derived = records[:2], records[2:]
    assert all(
        {"loss", "train_perplexity", "words", "reward", "reward_error", "baseline"} <= set(one) for one in rounds
    )
    assert rounds[0]["learning_rate"] > rounds[1]["learning_rate"] > 0
    assert "validation perplexity" in results["enas"]["headline"]
    space = recurrent_space(configured(folder))
    (found,) = found_cells(space, {"enas": results["enas"]}).values()
    assert found == space.parse(results["enas"]["best"][0]["architecture"])
    assert [one["reward"] for one in results["enas"]["best"]] == sorted(
        (one["reward"] for one in derived), reverse=True
    )
    assert {one["parameters"] for one in derived} == {len(data.vocabulary) * 9 + 8 * 16 * 4}


def test_a_pool_of_cells_is_scored_on_words_and_renewed(searched, data):
    folder, results = searched
    records, rounds = journal(folder, "recurrent-nao_shared-seed0"), results["nao_shared"]["rounds"]
    assert len(records) == 12 and len({record["key"] for record in records}) > 6
    assert all(200 <= each["images"] <= len(data.validation) and 0 < each["standard_error"] < 0.1 for each in rounds)
    assert all(0 < record["reward"] < 1 for record in records)


@pytest.mark.parametrize("name", ["enas", "nao_shared"])
def test_an_interrupted_search_continues_bit_for_bit(searched, tmp_path, data, monkeypatch, name):
    folder, results = searched
    leaves = iter([False, True])

    def leave(self, saved):
        if next(leaves, False):
            raise KeyboardInterrupt(saved)

    monkeypatch.setattr(Interruption, "leave_if_requested", leave)
    config = configured(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        search(config, name, 0, data)
    found = search(config, name, 0, data)
    assert [one["key"] for one in found["best"]] == [one["key"] for one in results[name]["best"]]
    ours, theirs = (journal(place, f"recurrent-{name}-seed0") for place in (tmp_path, folder))
    assert len(ours) == len(theirs) and all(map(same_record, ours, theirs))


def test_what_is_no_controller_is_refused_as_one():
    with pytest.raises(ParameterError, match="`controllers`.*Received: \\['enas'\\]"):
        from_values({"controllers": ["enas"]})
    with pytest.raises(ParameterError, match="`shared_searches`.*nao_shared"):
        from_values({"shared_searches": ["nao"]})
