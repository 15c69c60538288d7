"""NAO with shared weights, on weights of this file's making: who trains, who is scored on what, how a pool goes on
after a stop.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from alphaxenas.controllers.nao.settings import PRESETS, NetworkSettings
from alphaxenas.data.images import load_data
from alphaxenas.data.pipeline import Batches
from alphaxenas.runs import Interruption, RunFolder
from alphaxenas.runs.journal import same_record
from alphaxenas.spaces import CellSpace
from alphaxenas.supernet.pool_sampling import SAMPLE_POLICIES
from alphaxenas.supernet.shared_pool import Plan, Scores, SharedPool
from alphaxenas.supernet.shared_weights import ImageWeights

SPACE = CellSpace(blocks=2, operations=("conv3x3", "sep3x3", "identity"))
PLAN = Plan(rounds=3, epochs=2, subset=50)
SETTINGS = replace(PRESETS["small"], pool=10, tops=5, new=4, random=1, epochs=3, network=NetworkSettings(4, 6))
CLASSES = 10


def convolutions(architecture):
    return sum(name == "conv3x3" for row in architecture.rows for name in row[2:4])


class FakeWeights:
    """An architecture is right about an image when the image's number is below its merit, which training raises a
    little.
    """

    def __init__(self, spread=1.0):
        self.trained, self.spread, self.seen, self.rates, self.total = Counter(), spread, [], [], 0.0

    def train_step(self, architecture, images, labels, rate, progress, seed):
        self.trained[SPACE.key(architecture)] += 1
        self.rates.append(rate)
        self.total += 1
        return 1.0, 0

    def measure(self, architecture, batches):
        return np.array([convolutions(architecture), len(list(batches))], np.float32)

    def predict(self, architecture, images, statistics):
        assert statistics.tolist() == [convolutions(architecture), 4]
        numbers = np.asarray(images).reshape(len(images), -1)
        luck = np.abs(np.sin(1e4 * numbers.sum(1)))
        self.seen.append((SPACE.key(architecture), len(images), float(numbers.sum())))
        right = luck < 0.2 + self.spread * 0.2 * convolutions(architecture)
        logits = np.zeros((len(images), CLASSES))
        logits[
            np.arange(len(images)),
            np.where(right, self.labels[: len(images)], (self.labels[: len(images)] + 1) % CLASSES),
        ] = 1
        return logits

    def parameters_of(self, architecture):
        return 1 + 10 * convolutions(architecture)

    def state(self):
        return {"total": np.array(self.total)}

    def restore(self, state):
        self.total = float(state["total"])


class Validation:
    """Eight batches of 25 images; the labels of a batch are the same for all."""

    def __init__(self):
        rng = np.random.default_rng(0)
        self.images = rng.normal(size=(8, 25, 2, 2, 1)).astype(np.float32)
        self.labels = np.arange(25) % CLASSES

    def in_order(self):
        return ((images, self.labels) for images in self.images)


@pytest.fixture(scope="module")
def training():
    return Batches.of(load_data("digits", fraction=0.1), "train", 32)


def make(tmp_path, training, name="pool", plan=PLAN, spread=1.0, settings=SETTINGS, space=SPACE):  # noqa: B008
    weights = FakeWeights(spread)
    validation = Validation()
    weights.labels = validation.labels
    folder = RunFolder.open("suite", name, {"seed": 0}, tmp_path / "exp", tmp_path / "events")
    shared = ImageWeights(weights, training, validation, 0)
    return SharedPool(space, lambda: shared, folder, settings, plan, 0), weights, folder


def test_a_round_trains_scores_all_members_and_replaces_the_worst(tmp_path, training):
    pool, weights, folder = make(tmp_path, training)
    with folder:
        results = pool.run()
        records = folder.journal.read()
    rounds = [[record for record in records if record["round"] == number] for number in range(3)]
    assert [len(one) for one in rounds] == [10, 10, 10]
    for one in rounds:
        assert len({record["key"] for record in one}) == 10
    kept = {record["key"] for record in sorted(rounds[0], key=lambda record: -record["reward"])[:5]}
    assert kept <= {record["key"] for record in rounds[1]}
    assert weights.total == 3 * 2 * training.steps()
    assert results["rounds"][0].keys() >= {"standard_error", "spread", "images", "exact", "hamming", "found"}
    assert json.loads((folder.path / "results.json").read_text())["best"][0]["reward"] == max(
        record["reward"] for record in rounds[2]
    )
    assert weights.rates[0] == pytest.approx(0.05) and weights.rates[training.steps() * 2 - 1] < 0.005


class TestScores:
    def test_nao7_all_members_are_scored_on_the_same_images(self, tmp_path, training):
        """NAO-7: the seed scored its members on ten different batches."""
        pool, weights, folder = make(tmp_path, training, plan=Plan(rounds=1, epochs=1, subset=50))
        with folder:
            pool.run()
        images = {}
        for key, count, content in weights.seen:
            images.setdefault(key, []).append((count, content))
        assert len(images) == 10 and len(set(map(tuple, images.values()))) == 1

    def test_nao7_the_standard_error_is_that_of_repeated_samples_and_the_spread_leaves_chance_out(self):
        rng = np.random.default_rng(0)
        truth = np.linspace(0.5, 0.9, 40)
        many = np.stack([(rng.random((40, 200)) < truth[:, None]).mean(1) for _ in range(400)])
        scores = [Scores.of(rng.random((40, 200)) < truth[:, None]) for _ in range(50)]
        assert np.mean([score.standard_error for score in scores]) == pytest.approx(many.std(0).mean(), rel=0.05)
        assert np.mean([score.spread for score in scores]) == pytest.approx(truth.std(ddof=1), rel=0.05)
        equal = [Scores.of(rng.random((40, 200)) < 0.7) for _ in range(50)]
        assert np.mean([score.spread for score in equal]) < 0.4 * equal[0].standard_error and not any(
            score.ranking_is_resolved for score in equal
        )

    def test_the_spread_is_right_although_all_members_see_the_same_images(self):
        """Easy and difficult images: independent binomial variance would leave 0 in most cases."""
        rng = np.random.default_rng(0)
        merits = rng.normal(size=12)
        merits = 0.145 * (merits - merits.mean()) / merits.std(ddof=1)

        def hits(images):
            difficulties = rng.normal(-1.5, 2.5, images)
            return rng.random((12, images)) < 1 / (1 + np.exp(-3.4 * (merits[:, None] - difficulties)))

        truth = hits(400_000).mean(1).std(ddof=1)
        spreads = [Scores.of(hits(500)).spread for _ in range(200)]
        assert truth == pytest.approx(0.019, abs=0.001)
        assert np.mean(spreads) == pytest.approx(truth, rel=0.1) and min(spreads) > 0

    def test_nao7_the_subset_grows_until_scores_tell_members_apart(self, tmp_path, training):
        pool, _, folder = make(tmp_path, training, plan=Plan(rounds=1, epochs=1, subset=25))
        with folder:
            clear = pool.run()["rounds"][0]
        assert clear["ranking_is_resolved"] and clear["standard_error"] <= clear["spread"] / 2 and clear["images"] < 200
        pool, _, folder = make(tmp_path, training, name="alike", plan=Plan(rounds=1, epochs=1, subset=25), spread=0.0)
        with folder:
            alike = pool.run()["rounds"][0]
        assert not alike["ranking_is_resolved"] and alike["images"] == 200, (
            "all images there are, and it says that they do not suffice"
        )


@pytest.mark.parametrize("policy", SAMPLE_POLICIES)
def test_members_train_as_often_as_the_policy_says(tmp_path, training, policy):
    pool, weights, folder = make(tmp_path, training, plan=Plan(rounds=1, epochs=150, policy=policy, subset=25))
    with folder:
        pool.run()
        members = {record["key"]: SPACE.decode(tuple(record["tokens"])) for record in folder.journal.read()}
    assert set(weights.trained) <= set(members)
    shares = np.array([weights.trained[key] for key in members]) / weights.total
    sizes = np.array([weights.parameters_of(architecture) for architecture in members.values()])
    np.testing.assert_allclose(shares, sizes / sizes.sum() if policy == "parameters" else 0.1, atol=0.05)


@pytest.mark.parametrize("policy", ["accuracy", "prediction"])
def test_once_there_are_scores_policies_go_by_them(tmp_path, training, policy):
    pool, _, folder = make(tmp_path, training, plan=Plan(rounds=2, epochs=1, policy=policy, subset=25))
    with folder:
        pool.run()
        odds = pool._odds([SPACE.decode(tokens) for _, tokens in pool._members])
    assert len(set(np.round(odds, 12))) > 1 and odds.sum() == pytest.approx(1)


def test_statistics_are_measured_on_images_without_augmentation(tmp_path):
    data = load_data("digits", fraction=0.1)
    augmented, plain = (Batches.of(data, "train", 32, augment, 4 if augment else 0) for augment in (True, False))
    pool, weights, folder = make(tmp_path, augmented, plan=Plan(rounds=1, epochs=1, subset=25))
    seen, measure = [], weights.measure
    weights.measure = lambda architecture, batches: (
        seen.append(np.stack([x for x, _ in batches])) or measure(architecture, batches)
    )
    with folder:
        pool.run()
    expected = [images for images, _ in plain.epoch(0, 0, rng_stream=("calibration",))][:4]
    np.testing.assert_array_equal(seen[0], np.stack(expected))


def stop_if(stopped):
    if stopped:
        raise KeyboardInterrupt


def test_interrupted_after_any_round_it_goes_on_as_if_nothing_had_been(tmp_path, training, monkeypatch):
    whole, _, folder = make(tmp_path, training, "whole")
    with folder:
        expected, records = whole.run(), folder.journal.read()
    for stopped in (1, 2):
        pool, _, folder = make(tmp_path, training, f"stopped{stopped}")
        stops = iter([False] * stopped + [True])
        with monkeypatch.context() as patch, folder:
            patch.setattr(Interruption, "leave_if_requested", lambda self, saved, stops=stops: stop_if(next(stops)))
            with pytest.raises(KeyboardInterrupt):
                pool.run()
            # What was written after the last checkpoint is replaced where it comes out differently.
            folder.journal.append({"round": stopped, "key": "half a round"})
        again, _, folder = make(tmp_path, training, f"stopped{stopped}")
        with folder:
            assert again.run() == expected
            assert all(map(same_record, folder.journal.read(), records)) and len(folder.journal.read()) == len(records)


def test_a_finished_one_returns_at_once(tmp_path, training):
    pool, _, folder = make(tmp_path, training, plan=Plan(rounds=1, epochs=1))
    with folder:
        expected = pool.run()
    again, weights, folder = make(tmp_path, training, plan=Plan(rounds=1, epochs=1))
    made = []
    again._make_weights = lambda: made.append(weights)
    with folder:
        assert again.run() == expected and not made, "a finished run builds no shared weights"


def test_a_pool_larger_than_the_space_is_refused(tmp_path, training):
    tiny = CellSpace(blocks=1, operations=("conv3x3",), combinations=("add",))
    pool, _, folder = make(tmp_path, training, space=tiny)
    with (
        folder,
        pytest.raises(ValueError, match="`pool`. Expected far fewer than the space's 4 architectures. Received: 10"),
    ):
        pool.run()


@pytest.mark.parametrize(
    "values", [{"rounds": 0}, {"epochs": 0}, {"policy": "size"}, {"learning_rate": 0.0}, {"subset": 1}]
)
def test_impossible_plans_are_refused_by_name(values):
    with pytest.raises(ValueError, match=f"`{next(iter(values))}`"):
        Plan(**values)
