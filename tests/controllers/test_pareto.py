"""Fronts, hypervolumes, the expected improvement, and strategies for several objectives."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from alphaxenas.contracts import Budget, Outcome, Proposal
from alphaxenas.controllers.catalogue import make_controller
from alphaxenas.controllers.pareto import front as fronts
from alphaxenas.controllers.pareto import improvement
from alphaxenas.controllers.pareto.archive import Archive
from alphaxenas.controllers.pareto.improvement import expected_improvement
from alphaxenas.controllers.pareto.objectives import OBJECTIVES, FrontSoFar, Objectives, named, summary
from tests.controllers.tabular import Digits

SPACE = Digits(length=4)


def measured(tokens):
    """Accuracy rises with all digits, the cost with the first most."""
    return 0.5 + 0.1 * np.log1p(sum(tokens)) + 0.001 * tokens[3], 1.0 + 4 * tokens[0] + sum(tokens[1:])


def vectors(every):
    return np.array([(accuracy, -cost) for accuracy, cost in map(measured, every)])


EVERY = list(itertools.product(range(4), repeat=4))


def searched(name, steps, seed=0, **settings):
    controller = make_controller(
        name, SPACE, seed, Budget(1), Budget(2), 6, objectives=named(("accuracy", "parameters")), **settings
    )
    found = []
    while len(found) < steps and (proposal := controller.ask()) is not None:
        accuracy, cost = measured(proposal.tokens)
        controller.tell(Outcome(proposal, accuracy, metrics={"parameters": cost}))
        found.append(proposal)
    return found


def share(proposals):
    low = vectors(EVERY).min(0)
    tokens = [proposal.tokens for proposal in proposals]
    return fronts.hypervolume(vectors(tokens), low) / fronts.hypervolume(vectors(EVERY), low)


class TestFronts:
    def test_a_front_holds_what_nothing_dominates_and_of_equals_the_first(self):
        values = np.array([[1, 5], [2, 4], [2, 4], [1, 4], [3, 1], [0, 6], [3, 0]])
        assert fronts.front(values).tolist() == [0, 1, 4, 5]
        rng = np.random.default_rng(0)
        values = rng.integers(0, 6, (60, 3))
        kept = fronts.front(values)
        for row in range(60):
            beaten = any((values[other] >= values[row]).all() for other in kept if other != row)
            assert beaten == (row not in kept)

    def test_ranks_peel_front_after_front(self):
        values = np.array([[3, 3], [2, 2], [1, 1], [2, 4], [1, 3]])
        assert fronts.ranks(values).tolist() == [0, 1, 2, 0, 1]

    def test_crowding_is_the_size_of_the_box_of_the_neighbours(self):
        away = fronts.crowding(np.array([[0.0, 4.0], [1.0, 3.0], [3.0, 1.0], [4.0, 0.0]]))
        assert away.tolist() == [np.inf, 0.75 + 0.75, 0.75 + 0.75, np.inf]

    def test_fitness_prefers_fronts_then_the_less_crowded(self):
        values = np.array([[0.0, 4.0], [1.9, 2.1], [2.0, 2.0], [4.0, 0.0], [1.0, 1.0]])
        fitness = fronts.fitness(values)
        assert fitness[4] < min(fitness[:4])
        assert min(fitness[0], fitness[3]) > max(fitness[1], fitness[2])

    @pytest.mark.parametrize("objectives", [2, 3])
    def test_hypervolume_is_the_share_of_points_dominated(self, objectives):
        rng = np.random.default_rng(1)
        values, points = rng.random((8, objectives)), rng.random((200_000, objectives))
        sampled = np.any([(points <= value).all(1) for value in values], axis=0).mean()
        assert fronts.hypervolume(values, np.zeros(objectives)) == pytest.approx(sampled, abs=0.004)
        assert fronts.hypervolume(values, np.ones(objectives)) == 0.0

    def test_the_knee_is_where_the_front_bends_most(self):
        assert fronts.knee(np.array([[0.0, 1.0], [0.8, 0.9], [0.9, 0.2], [1.0, 0.0]])) == 1


def test_expected_improvement_is_the_mean_of_the_improvements():
    rng = np.random.default_rng(2)
    stairs, reference = np.array([[0.2, 0.9], [0.5, 0.6], [0.8, 0.1]]), np.zeros(2)
    mean, deviation = rng.random((4, 2)), 0.05 + 0.2 * rng.random((4, 2))
    before = fronts.hypervolume(stairs, reference)
    for row, found in enumerate(expected_improvement(mean, deviation, stairs, reference)):
        drawn = mean[row] + deviation[row] * rng.normal(size=(4000, 2))
        gains = [fronts.hypervolume(np.vstack([stairs, point]), reference) - before for point in drawn]
        assert found == pytest.approx(np.mean(gains), abs=4 * np.std(gains) / np.sqrt(len(gains)))


class TestObjectives:
    def test_less_is_better_is_declared_once(self):
        proposal = Proposal(0, (), Budget(1))
        outcome = Outcome(proposal, 0.9, metrics={"latency_ms": 3.0, "parameters": 5.0})
        chosen = named(("accuracy", "latency"))
        assert chosen.of(outcome) == {"accuracy": 0.9, "latency": 3.0}
        assert chosen.values(outcome).tolist() == [0.9, -3.0]
        with pytest.raises(ValueError, match="measures `multiply_adds`"):
            named(("accuracy", "multiply_adds")).of(outcome)

    def test_accuracy_alone_is_what_every_search_looks_for(self):
        assert named(("accuracy",)) is named(()) is None
        with pytest.raises(ValueError, match="Did you mean 'latency'"):
            named(("accuracy", "latenzy"))
        with pytest.raises(ValueError, match="two or more different ones"):
            Objectives((OBJECTIVES["latency"],))

    def test_the_front_of_records_stands_best_first_with_one_knee(self):
        chosen = named(("accuracy", "parameters"))
        pairs = [(0.5, 1), (0.9, 9), (0.4, 2), (0.85, 3), (0.85, 3)]
        records = [
            {"key": str(place), "objectives": {"accuracy": accuracy, "parameters": cost}}
            for place, (accuracy, cost) in enumerate(pairs)
        ]
        found = chosen.front_of(records)
        assert [record["key"] for record in found] == ["1", "3", "0"]
        assert [record["knee"] for record in found] == [False, True, False]
        # From the worst of each, 0.4 and 9: strips above the reference of widths 0, 6 and 2.
        assert chosen.volume_of(found, records) == pytest.approx(0.45 * 6 + 0.1 * 2)


class TestSearches:
    @pytest.mark.parametrize("name", ["evolution", "guided"])
    def test_a_search_for_fronts_beats_random_search(self, name):
        settings = {"population": 8} if name == "evolution" else {}
        ours = np.mean([share(searched(name, 50, seed, **settings)) for seed in (1, 2, 3)])
        assert ours > np.mean([share(searched("random", 50, seed)) for seed in (1, 2, 3)])

    def test_directions_share_what_they_find(self):
        proposals = searched("uct", 60)
        tokens = [proposal.tokens for proposal in proposals if proposal.purpose == "search"]
        assert len(set(tokens)) == len(tokens)
        assert share(proposals) > 0.9

    @pytest.mark.parametrize("name", ["evolution", "guided", "uct"])
    def test_the_final_budget_goes_to_the_front(self, name):
        seen, promoted = [], []
        for proposal in searched(name, 30):
            if proposal.purpose == "search":
                seen.append(proposal.tokens)
            else:
                left = [tokens for tokens in seen if tokens not in promoted]
                ranks = fronts.ranks(vectors(seen))
                best = min(ranks[seen.index(tokens)] for tokens in left)
                assert ranks[seen.index(proposal.tokens)] == best
                promoted.append(proposal.tokens)
        assert promoted

    def test_the_original_search_has_one_objective(self):
        with pytest.raises(ValueError, match="several objectives"):
            searched("alphaxenas", 1, planning="children", search_children=0)


@pytest.mark.parametrize("names", [("accuracy", "parameters"), ("accuracy", "parameters", "multiply_adds")])
def test_the_front_of_a_growing_journal_is_that_of_all_its_records_and_each_is_read_once(names):
    rng, objectives, read = np.random.default_rng(1), named(names), []

    class Journal(list):
        def __getitem__(self, place):
            read.append(place)
            return super().__getitem__(place)

    journal, so_far = Journal(), FrontSoFar(objectives)
    assert so_far.curves(journal) == {"pareto/front": 0.0, "pareto/hypervolume": 0.0}
    for trial in range(120):
        purpose = "final" if trial > 60 and trial % 5 == 0 else "refresh" if trial % 11 == 3 else "search"
        measured = {} if trial % 7 == 5 else {"objectives": dict(zip(names, np.round(rng.random(len(names)), 1)))}
        journal.append({"purpose": purpose, "key": str(trial), **measured})
        if trial % 3:  # a long curve has gaps
            found, whole = so_far.curves(journal), summary(objectives, list(journal))
            assert found["pareto/front"] == len(whole["front"])
            assert found["pareto/hypervolume"] == pytest.approx(whole["hypervolume"], abs=1e-12)
    assert found["pareto/hypervolume"] > 0 and read == list(range(120))
    assert FrontSoFar(None).curves(journal) == {}


@pytest.mark.parametrize("objectives", [2, 3])
def test_the_front_of_an_archive_grows_with_it(objectives):
    rng, archive = np.random.default_rng(4), Archive()
    for number in range(150):
        archive.add(str(number), np.round(rng.random(objectives), 1))
        values = archive.values()
        assert archive.front() == [str(place) for place in fronts.front(values)]
        if number:
            low, high = values.min(0), values.max(0)
            box = np.prod(np.where(high > low, high - low, 1.0))
            expected = fronts.hypervolume(values, low) / box
            assert archive.diagnostics()["pareto/share"] == pytest.approx(expected, abs=1e-12)
    again = Archive()
    again.restore(archive.state())
    assert again.front() == archive.front() and (again.values() == archive.values()).all()
    assert again.diagnostics() == archive.diagnostics()
    assert again.fitness("7") == fronts.fitness(archive.values())[7] and again.fitness("none") is None


class TestKnownCosts:
    """A cost that no feature tells, because it is drawn for every architecture, can be known but not learned."""

    COSTS = dict(zip(EVERY, np.random.default_rng(5).random(len(EVERY)).tolist()))

    def search(self, known, steps, seed, stop_at=None):
        objectives = named(("accuracy", "parameters"))
        if known:
            # Of some architectures nothing is known, as where a table lacks them: their evaluation fails.
            told = {tokens: {"parameters": cost} for tokens, cost in self.COSTS.items() if sum(tokens) != 11}
            objectives = replace(objectives, costs=lambda digits: told.get(SPACE.encode(digits), {}))

        def made():
            return make_controller("guided", SPACE, seed, Budget(1), objectives=objectives)

        controller, rows = made(), []
        for step in range(steps):
            proposal = controller.ask()
            if step == stop_at:
                state = controller.state()
                controller = made()
                controller.restore(state)
            if sum(proposal.tokens) == 11:
                controller.tell(Outcome(proposal, 0.0, "missing"))
                continue
            metrics = {"parameters": self.COSTS[proposal.tokens]}
            controller.tell(Outcome(proposal, measured(proposal.tokens)[0], metrics=metrics))
            rows.append(proposal.tokens)
        return rows, controller.strategy

    def share(self, rows):
        every = np.array([(measured(tokens)[0], -self.COSTS[tokens]) for tokens in EVERY if sum(tokens) != 11])
        found = np.array([(measured(tokens)[0], -self.COSTS[tokens]) for tokens in rows])
        return fronts.hypervolume(found, every.min(0)) / fronts.hypervolume(every, every.min(0))

    def test_are_taken_as_they_are_instead_of_being_modelled(self):
        known, learned = ([self.search(kind, 30, seed) for seed in range(3)] for kind in (True, False))
        assert np.mean([self.share(rows) for rows, _ in known]) > 0.02 + np.mean(
            [self.share(rows) for rows, _ in learned]
        )

    def test_need_no_model(self):
        told = {tokens: {"parameters": cost} for tokens, cost in self.COSTS.items()}
        objectives = replace(named(("accuracy", "parameters")), costs=lambda digits: told[SPACE.encode(digits)])
        controller = make_controller("guided", SPACE, 0, Budget(1), objectives=objectives)
        for _ in range(10):
            proposal = controller.ask()
            controller.tell(Outcome(proposal, measured(proposal.tokens)[0], metrics=told[proposal.tokens]))
        assert list(controller.strategy.state()["models"]) == ["0"]

    def test_a_restored_search_goes_on_as_it_would_have(self):
        assert self.search(True, 20, 3)[0] == self.search(True, 20, 3, stop_at=14)[0]

    def test_that_take_time_are_not_asked_for_of_a_whole_space(self):
        asked, space = set(), Digits(length=7)

        def costs(digits):
            asked.add(digits)
            return {"parameters": 1.0 + sum(digits)}

        objectives = replace(named(("accuracy", "parameters")), costs=costs, takes_time=True)
        controller = make_controller("guided", space, 0, Budget(1), objectives=objectives)
        for _ in range(11):
            proposal = controller.ask()
            cost = 1.0 + sum(proposal.tokens)
            controller.tell(Outcome(proposal, measured(proposal.tokens)[0], metrics={"parameters": cost}))
        assert 256 < len(asked) < space.size() / 4
        assert list(controller.strategy.state()["models"]) == ["0"]

    def test_are_used_where_there_are_three_objectives(self):
        objectives = replace(
            named(("accuracy", "parameters", "multiply_adds")),
            costs=lambda digits: {"parameters": self.COSTS[SPACE.encode(digits)]},
        )
        controller = make_controller("guided", SPACE, 0, Budget(1), objectives=objectives)
        for _ in range(12):
            proposal = controller.ask()
            accuracy, cost = measured(proposal.tokens)
            metrics = {"parameters": self.COSTS[proposal.tokens], "multiply_adds": cost}
            controller.tell(Outcome(proposal, accuracy, metrics=metrics))
        assert list(controller.strategy.state()["models"]) == ["0", "2"]


class Sums(Digits):
    """Architectures of one sum look the same."""

    def features(self, architecture):
        return np.array([sum(architecture)], np.float32)


def test_one_lucky_training_is_not_what_has_to_be_improved(monkeypatch):
    seen, original = [], improvement.expected_improvement

    def spied(mean, deviation, stairs, reference):
        seen.append((stairs, reference))
        return original(mean, deviation, stairs, reference)

    monkeypatch.setattr(improvement, "expected_improvement", spied)
    objectives = replace(named(("accuracy", "parameters")), costs=lambda digits: {"parameters": 1.0 + sum(digits)})
    controller = make_controller("guided", Sums(length=4), 0, Budget(1), objectives=objectives)
    rng, rewards = np.random.default_rng(6), []
    for _ in range(25):  # nothing but luck
        proposal = controller.ask()
        rewards.append(0.5 + 0.02 * rng.normal())
        controller.tell(Outcome(proposal, rewards[-1], metrics={"parameters": 1.0 + sum(proposal.tokens)}))
    controller.ask()
    luckiest = float(improvement.scale(np.array(rewards), True)(max(rewards)))
    assert seen[-1][0][:, 0].max() < 0.7 * luckiest
