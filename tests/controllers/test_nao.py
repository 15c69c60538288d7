"""NAO: rounds, the pool, the held-out split, the ascent; and defects of the seed that must not return."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from alphaxenas.controllers.baselines.random_search import RandomSearch
from alphaxenas.controllers.nao.controller import NAO, settings_of
from alphaxenas.controllers.nao.pool import Member, best, renewed
from alphaxenas.controllers.nao.quality import (
    fit_and_measure,
    hamming,
    measured,
    pairwise_accuracy,
    scale_targets,
    split,
)
from alphaxenas.controllers.nao.settings import PRESETS, NAOSettings
from alphaxenas.spaces import CellSpace, NASBench201
from tests.controllers import tabular

SPACE = CellSpace(blocks=2, operations=("conv3x3", "sep3x3", "identity"))
QUICK = {"pool": 10, "tops": 6, "new": 4, "random": 2, "epochs": 8}


def reward(tokens):
    """Convolutions are good, and so is depth; a little chance, so that no two are alike."""
    cell = SPACE.decode(tokens)
    chance = int.from_bytes(hashlib.sha256(SPACE.key(cell).encode()).digest()[:4], "big") / 2**32
    return (
        0.5
        + 0.05 * sum(name == "conv3x3" for row in cell.rows for name in row[2:4])
        + 0.02 * sum(row[0] + row[1] for row in cell.rows) / 6
        + 0.01 * chance
    )


def play(strategy, steps, rate=reward):
    found = []
    for _ in range(steps):
        tokens = strategy.suggest()
        if tokens is None:
            break
        found.append(tokens)
        strategy.observe(tokens, rate(tokens))
    return found


class TestPool:
    def test_its_size_is_constant_and_no_architecture_is_in_it_twice(self):
        """F18."""
        strategy = NAO(SPACE, 0, **QUICK)
        sizes = []
        for _ in range(60):
            play(strategy, 1)
            if strategy.pool:
                sizes.append(len(strategy.pool))
                keys = [member.key for member in strategy.pool]
                assert len(set(keys)) == len(keys)
                rewards = [member.reward for member in strategy.pool]
                assert rewards == sorted(rewards, reverse=True)
        assert set(sizes) == {10} and strategy.diagnostics()["nao/round"] > 5

    def test_a_round_replaces_the_worst_by_what_arrived(self):
        pool = [Member(name, (place,), place / 10) for place, name in enumerate("abcdef")]
        arrived = [Member("new", (9,), 0.01), Member("better", (8,), 0.9)]
        after = renewed(pool, arrived, 6)
        assert [member.key for member in after] == ["better", "f", "e", "d", "c", "new"]
        assert renewed(pool, [], 6) == best(pool, 6)
        with pytest.raises(ValueError, match="new keys"):
            renewed(pool, [pool[0]], 6)
        with pytest.raises(ValueError, match="at most 1 members"):
            renewed([], arrived, 1)

    def test_nao2_the_best_members_are_sorted_and_cut_off(self):
        """NAO-2: the seed's top 100 was everything, in the order of the file."""
        rewards = np.random.default_rng(0).permutation(20) / 20
        top = best([Member(str(place), (place,), float(value)) for place, value in enumerate(rewards)], 5)
        assert [member.reward for member in top] == sorted(rewards, reverse=True)[:5]

    def test_nao2_gradient_ascents_start_from_the_best_members_alone(self, monkeypatch):
        import alphaxenas.controllers.nao.trajectory as module

        starts = []
        ascend = module.gradient_ascent
        monkeypatch.setattr(
            module,
            "gradient_ascent",
            lambda model, sequences, *others: starts.append(list(sequences)) or ascend(model, sequences, *others),
        )
        strategy = NAO(SPACE, 1, **QUICK)
        rated = {tokens: reward(tokens) for tokens in play(strategy, 10)}
        play(strategy, 1)
        assert len(starts) == 1 and len(starts[0]) == 6
        assert [rated[tokens] for tokens in starts[0]] == sorted(rated.values(), reverse=True)[:6]

    def test_failed_architectures_do_not_enter_it_but_teach_the_network(self):
        strategy = NAO(SPACE, 2, **QUICK)
        failed = set()
        for number in range(30):
            tokens = strategy.suggest()
            strategy.observe(tokens, None if number % 5 == 0 else reward(tokens))
            failed |= {SPACE.key(SPACE.decode(tokens))} if number % 5 == 0 else set()
        assert len(strategy.pool) == 10 and not failed & {member.key for member in strategy.pool}
        assert failed & set(strategy._known())


class TestHeldOut:
    def test_nao1_the_network_never_saw_what_it_is_measured_on(self, monkeypatch):
        """NAO-1: the seed's 50 test architectures were in its training file, too."""
        import alphaxenas.controllers.nao.quality as module
        from alphaxenas.controllers.nao.model import NAOModel

        fitted, rounds = {}, []
        fit, measure = NAOModel.fit, module.measured

        def watched_fit(model, sequences, *others):
            fitted.setdefault(id(model), (model, set()))[1].update(
                SPACE.key(SPACE.decode(tokens)) for tokens in sequences
            )
            return fit(model, sequences, *others)

        def watched_measure(model, sequences, targets):
            held_out = {SPACE.key(SPACE.decode(tokens)) for tokens in sequences}
            rounds.append((len(held_out), len(fitted[id(model)][1]), held_out & fitted[id(model)][1]))
            return measure(model, sequences, targets)

        monkeypatch.setattr(NAOModel, "fit", watched_fit)
        monkeypatch.setattr(module, "measured", watched_measure)
        strategy = NAO(SPACE, 0, **QUICK)
        play(strategy, 30)
        assert len(rounds) >= 3
        assert all(not common and held_out >= 2 for held_out, _, common in rounds)
        assert [held_out + known for held_out, known, _ in rounds] == [10, 16, 22, 28][: len(rounds)]

    def test_parts_are_disjoint_and_together_everything(self):
        keys = [f"k{place}" for place in range(17)]
        for seed in range(20):
            known, held_out = split(keys, 0.2, np.random.default_rng(seed))
            assert sorted([*known, *held_out]) == list(range(17)) and len(held_out) == 3

    def test_a_key_that_would_be_in_both_parts_is_refused(self):
        with pytest.raises(ValueError, match="different ones. Received: 5, 4 of them"):
            split(["a", "b", "c", "d", "a"], 0.2, np.random.default_rng(0))
        with pytest.raises(ValueError, match="four or more"):
            split(["a", "b", "c"], 0.2, np.random.default_rng(0))

    def test_every_round_reports_the_quality_of_predictor_and_decoder(self):
        """F33."""
        strategy = NAO(SPACE, 0, **QUICK)
        play(strategy, 10)
        assert "nao/pairwise_accuracy" not in strategy.diagnostics()
        play(strategy, 1)
        numbers = strategy.diagnostics()
        assert 0 <= numbers["nao/pairwise_accuracy"] <= 1 and 0 <= numbers["nao/hamming"] <= SPACE.max_length
        assert {
            "nao/exact",
            "nao/found",
            "nao/step",
            "nao/squared_error",
            "nao/cross_entropy",
        } <= numbers.keys() and numbers["nao/held_out"] == 3
        assert "held-out pairs" in strategy.status_line()

    def test_measures_say_what_they_should(self):
        assert pairwise_accuracy([1, 2, 3], [1, 2, 3]) == 1 and pairwise_accuracy([3, 2, 1], [1, 2, 3]) == 0
        assert pairwise_accuracy([1, 1, 2], [1, 2, 2]) == pytest.approx(0.75)
        assert np.isnan(pairwise_accuracy([1, 2], [5, 5]))
        assert hamming((1, 2, 3), (1, 2, 3)) == 0 and hamming((1, 2, 3), (1, 9)) == 2 and hamming((), (1,)) == 1

    def test_a_network_that_learns_is_measured_to_be_good_and_one_that_does_not_is_not(self):
        from alphaxenas.controllers.nao.model import NAOModel

        space, rng = NASBench201(), np.random.default_rng(0)
        sequences = list(dict.fromkeys(space.encode(space.sample(rng)) for _ in range(160)))[:150]
        targets = scale_targets([sum(token == 3 for token in sequence) for sequence in sequences], "ranks")
        settings = replace(PRESETS["small"], epochs=60, most_steps=0, held_out=0.3)
        keys = [space.key(space.decode(sequence)) for sequence in sequences]
        model = NAOModel(space, settings.network)
        quality = fit_and_measure(model, keys, sequences, targets, settings, np.random.default_rng(1))
        assert (
            quality.held_out == 45
            and quality.pairwise_accuracy > 0.8
            and quality.rank_correlation > 0.7
            and quality.hamming < 1.5
        )
        untrained = measured(NAOModel(space, settings.network, seed=1), sequences, targets)
        assert abs(untrained.rank_correlation) < 0.7 and untrained.hamming > 2 and untrained.exact < 0.1


class TestTargets:
    def test_ranks_and_min_max_are_monotone_and_fill_the_interval(self):
        rewards = [0.1, 0.9, 0.5, 0.5]
        np.testing.assert_allclose(scale_targets(rewards, "minmax"), [0, 1, 0.5, 0.5])
        np.testing.assert_allclose(scale_targets(rewards, "ranks"), [0, 1, 0.5, 0.5])
        np.testing.assert_allclose(scale_targets([0.1, 0.90, 0.91], "ranks"), [0, 0.5, 1])
        np.testing.assert_allclose(scale_targets([0.3, 0.3], "minmax"), [0.5, 0.5])


class TestGradientAscent:
    def test_it_ends_at_the_last_step_if_nothing_new_decodes(self):
        from alphaxenas.controllers.nao.model import NAOModel
        from alphaxenas.controllers.nao.trajectory import gradient_ascent

        model = NAOModel(SPACE, PRESETS["small"].network)
        rng = np.random.default_rng(0)
        starts = [SPACE.encode(SPACE.sample(rng)) for _ in range(4)]
        found = gradient_ascent(model, starts, PRESETS["small"], lambda tokens: None, rng)
        assert found.sequences == [] and found.step == PRESETS["small"].steps[-1]

    def test_the_first_choice_stops_as_soon_as_enough_is_found(self):
        from alphaxenas.controllers.nao.model import NAOModel
        from alphaxenas.controllers.nao.trajectory import gradient_ascent

        model = NAOModel(SPACE, PRESETS["small"].network)
        rng = np.random.default_rng(0)
        starts = [SPACE.encode(SPACE.sample(rng)) for _ in range(8)]
        settings = replace(PRESETS["code"], new=1)
        found = gradient_ascent(model, starts, settings, lambda tokens: SPACE.key(SPACE.decode(tokens)), rng)
        assert len(found.sequences) == 1 and found.step == 1.0

    def test_where_too_little_decodes_the_round_is_filled_up_at_random(self, monkeypatch):
        import alphaxenas.controllers.nao.trajectory as module

        monkeypatch.setattr(module, "gradient_ascent", lambda *_: module.AscentResult([], 4.0))
        strategy = NAO(SPACE, 0, **QUICK)
        assert len(set(play(strategy, 22))) == 22
        assert strategy.diagnostics()["nao/round"] == 2 and strategy.diagnostics()["nao/found"] == 0

    def test_a_path_begins_at_the_sequence_itself_and_its_score_rises_at_first(self):
        from alphaxenas.controllers.nao.model import NAOModel
        from alphaxenas.controllers.nao.trajectory import latent_trajectory

        space, rng = NASBench201(), np.random.default_rng(0)
        sequences = list(dict.fromkeys(space.encode(space.sample(rng)) for _ in range(80)))
        settings = PRESETS["small"]
        model = NAOModel(space, settings.network)
        model.fit(
            sequences, scale_targets([sum(token == 3 for token in sequence) for sequence in sequences], "ranks"), 60, 32
        )
        way = latent_trajectory(model, sequences[0], settings, (0.1, 0.2))
        assert way.steps.tolist() == [0.0, 0.1, 0.2] and np.all(np.diff(way.scores) > 0)
        assert (
            way.scores[0] == pytest.approx(model.predict([sequences[0]])[0])
            and len(way.sequences) == len(way.read_again) == 3
        )


class TestRounds:
    def test_a_round_waits_for_its_outcomes(self):
        strategy = NAO(SPACE, 0, **QUICK)
        first = [strategy.suggest() for _ in range(10)]
        assert None not in first and strategy.suggest() is None
        for tokens in first[:-1]:
            strategy.observe(tokens, reward(tokens))
        assert strategy.suggest() is None
        strategy.observe(first[-1], None)
        second = [strategy.suggest() for _ in range(6)]
        assert None not in second and strategy.suggest() is None and len({*first, *second}) == 16

    def test_the_optimum_is_found_in_a_fraction_of_the_queries_of_random_search(self):
        found = []
        for strategy in (
            NAO(tabular.SPACE, 0),
            NAO(tabular.SPACE, 1),
            RandomSearch(tabular.SPACE, 0),
            RandomSearch(tabular.SPACE, 1),
        ):
            found.append(tabular.queries(strategy))
        assert sum(found[:2]) * 2 < sum(found[2:])

    def test_what_it_did_before_a_restart_does_not_depend_on_the_restart(self):
        """Between rounds and within them, with the diagnostics; the contract tests do the same with other sizes."""
        whole, parts = NAO(SPACE, 0, **QUICK), NAO(SPACE, 0, **QUICK)
        for step in range(24):
            assert play(whole, 1) == play(parts, 1)
            assert whole.diagnostics() == parts.diagnostics()
            if step % 5 == 0:
                state = parts.state()
                parts = NAO(SPACE, 77, **QUICK)
                parts.restore(state)


class TestSettings:
    def test_presets_have_the_constants_of_paper_and_code(self):
        paper, code = PRESETS["paper"], PRESETS["code"]
        assert (
            paper.network.embedding,
            paper.network.units,
            paper.network.trade_off,
            paper.steps[0],
            paper.epochs,
        ) == (32, 96, 0.9, 10.0, 1000)
        assert (paper.pool, paper.tops, paper.new, paper.memory) == (600, 200, 200, "all")
        assert (code.pool, code.tops, code.new, code.random, code.batch_size) == (1000, 100, 500, 50, 100)
        assert (code.network.embedding, code.network.layers, code.network.trade_off, code.network.dropout) == (
            48,
            (100, 100, 100),
            0.8,
            0.1,
        )
        assert (
            code.steps == tuple(map(float, range(1, 102)))
            and code.network.gradient_clip == 5.0
            and code.network.weight_decay == 1e-4
        )

    def test_values_replace_those_of_the_preset(self):
        assert settings_of("code", new=20) == replace(PRESETS["code"], new=20)
        assert settings_of("code", pool=60) == replace(PRESETS["code"], pool=60, tops=60, new=30, random=30)
        assert NAO(SPACE, 0, preset="paper", epochs=3).settings == replace(PRESETS["paper"], epochs=3)
        assert NAO(SPACE, 0, random=0).settings.random == 0

    @pytest.mark.parametrize(
        "values, word",
        [
            ({"pool": 3}, "pool"),
            ({"tops": 33}, "tops"),
            ({"new": -1}, "new"),
            ({"random": 30}, "random"),
            ({"epochs": -1}, "epochs"),
            ({"preset": "papr"}, "preset"),
        ],
    )
    def test_impossible_values_are_refused_by_name(self, values, word):
        with pytest.raises(ValueError, match=f"`{word}`"):
            NAO(SPACE, 0, **values)

    @pytest.mark.parametrize(
        "values",
        [
            {"steps": ()},
            {"steps": (2.0, 1.0)},
            {"choose": "best"},
            {"memory": "none"},
            {"targets": "raw"},
            {"held_out": 0.0},
            {"variants": 0},
            {"samples": -1},
            {"batch_size": 0},
        ],
    )
    def test_impossible_constants_are_refused_by_name(self, values):
        with pytest.raises(ValueError, match=f"`{next(iter(values))}`"):
            NAOSettings(**values)

    def test_a_pool_too_small_for_a_predictor_says_so(self):
        with pytest.raises(ValueError, match="below which no predictor can be fitted. Received: 3"):
            NAO(SPACE, 0, pool=3, tops=1, new=1)
