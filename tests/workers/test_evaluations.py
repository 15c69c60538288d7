"""Several proposals in flight, with workers that die, dawdle and answer twice; without real processes."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest

from alphaxenas.coach import Coach
from alphaxenas.contracts import Budget, Outcome, Proposal
from alphaxenas.runs import ResumableLoop, RunFolder
from alphaxenas.runs.journal import TIMING, Journal
from alphaxenas.seeds import stream
from alphaxenas.spaces.nasbench.nasbench201 import NASBench201
from alphaxenas.workers.dispatch import Dispatcher, WorkerError, greeting_refused
from alphaxenas.workers.evaluations import InTurn, Workers
from alphaxenas.workers.flight import Flight
from alphaxenas.workers.serve import changes, merged
from tests.faults.toy import SeededPlayer, WordSpace
from tests.workers.toys import FromScratch, Sharing, Simulated


def workers_on(backend, number, shared=False, **options):
    dispatcher = Dispatcher(backend, number, clock=backend.clock, **options)
    dispatcher.begin()
    return Workers(dispatcher, Sharing() if shared else None)


def searched(path, evaluator, name="search", trials=24, **options):
    """The journal of a toy search, without what may differ."""
    with RunFolder.open("toy", name, {}, path, path / "events") as folder:
        Coach(WordSpace(), SeededPlayer(0), evaluator, folder, trials=trials, **options).run()
        return [{k: v for k, v in record.items() if k not in TIMING} for record in folder.journal.read()]


class ListController:
    """Proposes sequences of a list, one after the other."""

    def __init__(self, sequences):
        self.sequences, self.asked = sequences, 0

    def ask(self):
        self.asked += 1
        return Proposal(self.asked - 1, self.sequences[self.asked - 1], Budget(1))


def delays(seed):
    draws = stream(seed, "delays").exponential(size=1000)
    return lambda number: float(draws[number])


@pytest.mark.parametrize("kind", ["scratch", "shared"])
def test_outcomes_do_not_depend_on_workers_nor_on_how_long_they_take(tmp_path, kind):
    shared = kind == "shared"
    alone = searched(tmp_path, (Sharing if shared else FromScratch)(), in_flight=4)
    assert sum(record["epochs"] > 0 and "cached" not in record["metrics"] for record in alone) == 24
    for number, seed in ((1, 0), (2, 1), (4, 2), (7, 3)):
        workers = workers_on(Simulated(delays(seed), kind=kind), number, shared)
        assert searched(tmp_path, workers, f"{number}-{seed}", in_flight=4) == alone
    assert searched(tmp_path, (Sharing if shared else FromScratch)(), "in-turn") != alone, "in_flight must matter here"


@pytest.mark.parametrize("order", ["deterministic", "arrival"])
@pytest.mark.parametrize("kind", ["scratch", "shared"])
def test_every_tenth_evaluation_kills_its_worker_and_all_trials_finish(tmp_path, order, kind):
    backend = Simulated(delays(0), lambda number: "dies" if number % 10 == 9 else "", kind=kind)
    workers = workers_on(backend, 3, kind == "shared")
    found = searched(tmp_path, workers, in_flight=3, order=order)
    assert workers._dispatcher.died >= 2
    assert not any("killed" in record["reason"] for record in found)
    assert sum(record["epochs"] > 0 and "cached" not in record["metrics"] for record in found) == 24
    if order == "deterministic":
        evaluator = (Sharing if kind == "shared" else FromScratch)()
        assert found == searched(tmp_path, evaluator, "undisturbed", in_flight=3)


def test_a_trial_that_kills_every_worker_is_given_up_after_its_attempts(tmp_path):
    backend = Simulated(fate=lambda number: "dies" if number < 3 else "")
    (first, *others) = searched(tmp_path, workers_on(backend, 1, attempts=3), trials=3)
    assert first["status"] == "failed" and first["reason"] == "its process was killed, attempt 3 of 3"
    assert all(record["reason"] in ("", "DivergedError: loss is not finite") for record in others)


def test_a_trial_past_its_time_is_stopped_and_recorded_and_the_search_goes_on(tmp_path):
    backend = Simulated(lambda number: 3600.0 if number == 1 else 1.0)
    found = searched(tmp_path, workers_on(backend, 2, minutes=5.0), trials=8, in_flight=2)
    stopped = [record for record in found if record["reason"] == "stopped after 5 minutes"]
    assert ["cached" in record["metrics"] for record in stopped] == [False, True], "it is known when it comes again"
    assert backend.now < 3600


def test_a_second_answer_counts_no_second_time(tmp_path):
    once = searched(tmp_path, workers_on(Simulated(), 2), "once", in_flight=2)
    backend = Simulated(fate=lambda number: "twice" if number % 3 == 0 else "")
    assert searched(tmp_path, workers_on(backend, 2), "twice", in_flight=2) == once


def test_in_the_order_of_arrival_nobody_waits_for_the_slow(tmp_path):
    seconds = lambda number: 100.0 if number == 0 else 1.0  # noqa: E731
    backends = {order: Simulated(seconds) for order in ("deterministic", "arrival")}
    found = {
        order: searched(tmp_path, workers_on(backend, 2), order, trials=20, in_flight=2, order=order)
        for order, backend in backends.items()
    }
    assert backends["arrival"].now < 104 < backends["deterministic"].now
    tokens = [record["tokens"] for record in found["deterministic"]]
    assert found["arrival"][0]["tokens"] == tokens[1]


@pytest.mark.parametrize("order", ["deterministic", "arrival"])
@pytest.mark.parametrize("kind", ["scratch", "shared"])
@pytest.mark.parametrize("after", [1, 6, 11])
def test_a_search_that_ended_anywhere_goes_on_and_repeats_what_was_in_flight(tmp_path, order, kind, after):
    options = {"in_flight": 3, "order": order}
    whole = searched(tmp_path, workers_on(Simulated(delays(0), kind=kind), 3, kind == "shared"), "whole", **options)

    class Ends(Exception):
        pass

    backend = Simulated(delays(0), kind=kind)
    workers, told = workers_on(backend, 3, kind == "shared"), itertools.count()
    plain = workers.told

    def ends(proposal):
        if next(told) == after:
            raise Ends
        plain(proposal)

    workers.told = ends
    with pytest.raises(Ends):
        searched(tmp_path, workers, "part", **options)
    before = RunFolder.open("toy", "part", {}, tmp_path, tmp_path / "events")
    stored = before.journal.read()
    before.close()
    assert len(stored) == after
    found = searched(tmp_path, workers_on(Simulated(delays(0), kind=kind), 3, kind == "shared"), "part", **options)
    if order == "deterministic":
        assert found == whole
    kept = [{k: v for k, v in record.items() if k not in TIMING} for record in stored]
    assert found[:after] == kept
    assert sum(record["epochs"] > 0 and "cached" not in record["metrics"] for record in found) == 24


def test_a_search_given_more_trials_goes_on_as_if_it_had_had_them(tmp_path):
    whole = searched(tmp_path, FromScratch(), "whole", trials=12, in_flight=4)
    searched(tmp_path, FromScratch(), "part", trials=5, in_flight=4)
    assert searched(tmp_path, FromScratch(), "part", trials=12, in_flight=4) == whole


@pytest.mark.parametrize("kind", ["scratch", "shared"])
@pytest.mark.parametrize("number", [0, 2])
@pytest.mark.parametrize("order", ["deterministic", "arrival"])
def test_at_the_end_of_the_minutes_what_has_begun_is_waited_for_and_nothing_else(
    tmp_path, monkeypatch, kind, number, order
):
    seconds = itertools.count()
    backend = Simulated(kind=kind)

    def evaluator():
        if number:
            return workers_on(backend, number, kind == "shared")
        alone = (Sharing if kind == "shared" else FromScratch)()
        plain = alone.evaluate
        alone.evaluate = lambda proposal: next(seconds) is not None and plain(proposal)
        return alone

    elapsed = (lambda loop: backend.now) if number else (lambda loop: float(str(seconds)[6:-1]))
    options = {"in_flight": 8, "order": order}
    whole = searched(tmp_path, evaluator(), "whole", **options)
    backend, seconds = Simulated(kind=kind), itertools.count()
    monkeypatch.setattr(ResumableLoop, "elapsed", elapsed)
    part = searched(tmp_path, evaluator(), "part", max_minutes=5 / 60, **options)
    begun = len(backend.sent) if number else int(elapsed(None))
    assert begun == 5 if not number else begun <= 2 * 5 + 2, "at most two more, which workers had just begun"
    assert sum("cached" not in record["metrics"] for record in part) >= begun - 2
    monkeypatch.undo()
    backend = Simulated(kind=kind)
    found = searched(tmp_path, evaluator(), "part", **options)
    assert found[: len(part)] == part and sum("cached" not in record["metrics"] for record in found) >= 24
    if order == "deterministic":
        assert found == whole


def test_no_more_children_are_begun_than_trials_are_left(tmp_path):
    backend = Simulated()
    searched(tmp_path, workers_on(backend, 4), trials=6, in_flight=4)
    assert sum(message["proposal"][2] > 0 for _, message in backend.sent) == 6


def test_an_evaluation_that_raises_is_tried_elsewhere_then_ends_the_search():
    backend = Simulated()
    workers = workers_on(backend, 2, attempts=2)
    for server in backend.servers.values():
        server._parts.evaluator.evaluate = lambda proposal: 1 / 0
    with pytest.raises(WorkerError, match="ZeroDivisionError"):
        workers.evaluate(Proposal(0, (0, 1, 2), Budget(1)))
    assert len(backend.sent) == 2


def test_a_worker_of_another_version_is_refused_before_the_search():
    own = {"code": "abc", "tensorflow": "2.21.0", "data": "d1"}
    greeting = {**own, "tensorflow": "2.20.0", "data": "d2", "place": "node7, process 5"}
    assert greeting_refused({**own, "place": "here"}, own) == ""
    reason = greeting_refused(greeting, own)
    assert "node7" in reason and "tensorflow '2.20.0' there, '2.21.0' here" in reason and "data 'd2'" in reason
    backend = Simulated(kind="no such kind")
    with pytest.raises(WorkerError, match="A worker cannot work: KeyError"):
        dispatcher = Dispatcher(backend, 1, clock=backend.clock, refuses=lambda one: greeting_refused(one, own))
        dispatcher.begin()


def test_workers_that_never_come_up_end_the_search():
    backend = Simulated()
    backend.start = lambda: object()
    with pytest.raises(WorkerError, match="Only 0 of 2 workers have come up in 10 minutes"):
        Dispatcher(backend, 2, clock=backend.clock).begin()


def test_weights_are_sent_to_workers_that_lack_them_alone():
    backend = Simulated(kind="shared")
    workers = workers_on(backend, 1, shared=True)
    for number in range(3):
        workers.evaluate(Proposal(number, (0, 1, 2), Budget(1)))
    workers.evaluate(Proposal(3, (0, 1, 2), Budget(0), "refresh", False))
    assert ["weights" in message for _, message in backend.sent] == [True, False, False, False]
    alone = Sharing()
    for number in range(3):
        alone.evaluate(Proposal(number, (0, 1, 2), Budget(1)))
    assert np.array_equal(workers.state()["weights"], alone.state()["weights"])


def test_a_worker_whose_evaluation_raised_an_error_is_not_trusted_to_have_the_weights():
    backend = Simulated(kind="shared")
    workers, alone = workers_on(backend, 2, shared=True, attempts=2), Sharing()
    broken = backend.servers["worker0"]._parts.evaluator
    plain = broken.evaluate

    def fails_once(proposal):
        broken.evaluate = plain
        raise OSError("no space left")

    broken.evaluate = fails_once
    for number in range(6):
        assert workers.evaluate(Proposal(number, (0, 1, 2), Budget(1))).reward == (
            alone.evaluate(Proposal(number, (0, 1, 2), Budget(1))).reward
        )
    assert [worker for worker, _ in backend.sent[:2]] == ["worker0", "worker1"], "it must be tried elsewhere"
    assert "worker0" in [worker for worker, _ in backend.sent[2:]], "and come back to where it failed"


def test_changes_are_what_makes_the_one_state_of_the_other():
    before = {"a": np.zeros(2), "b": {"c": np.ones(3), "d": 1}}
    after = {"a": np.zeros(2), "b": {"c": np.arange(3.0), "d": 1, "e": [1, 2]}}
    found = changes(before, after)
    assert list(found) == ["b"] and list(found["b"]) == ["c", "e"]
    assert changes(merged(before, found), after) == {}


def flight_of(evaluator, *sequences, known=lambda key, budget: None, most=3, order="deterministic"):
    """A flight, and the controller that fills it."""
    flight = Flight(WordSpace(), InTurn(evaluator), known, lambda proposal: None, most, order)
    controller = ListController(sequences)
    flight.fill(controller)
    return flight


def test_the_oldest_proposal_is_evaluated_although_later_ones_use_up_the_limit():
    """The same architecture twice, to be tried again, and the children that are left are already in training."""
    a, b, c = (0, 0, 0), (0, 0, 1), (0, 0, 2)
    flight = flight_of(FromScratch(), a, a, b, c, most=4)
    waits = itertools.count()
    for number, left in enumerate((2, 1)):
        one, _ = flight.next(left, None, lambda: next(waits) < 10 or pytest.fail("nobody evaluates the oldest"))
        assert (one.proposal.number, one.proposal.tokens) == (number, a)


@pytest.mark.parametrize("order", ["deterministic", "arrival"])
def test_an_outcome_that_was_not_told_before_a_kill_counts_as_training_after_it(order):
    """What is alike waits for it, and no more children are begun than are left."""
    a, b, c = (0, 0, 0), (0, 0, 1), (0, 0, 2)
    told, evaluated = {}, []
    evaluator = FromScratch()
    plain = evaluator.evaluate
    evaluator.evaluate = lambda proposal: evaluated.append(proposal.number) or plain(proposal)
    proposals = [Proposal(number, tokens, Budget(1)) for number, tokens in enumerate((b, a, a, c))]
    state = [[proposal.to_json(), None] for proposal in proposals]
    state[1][1] = plain(proposals[1]).to_json()
    flight = flight_of(evaluator, known=lambda key, budget: told.get(key), most=0, order=order)
    flight.restore(state)
    for left in (2, 1, 1) if order == "arrival" else (2, 1, 0):
        one, outcome = flight.next(left, None, lambda: None)
        told[one.key] = outcome
    assert evaluated == [0]


def test_proposals_that_are_not_begun_any_more_are_not_looked_through_for_every_trial():
    """As many in flight as a search has trials: nearly all are proposed after the last one was begun."""
    space, evaluator, told, asked = NASBench201(), FromScratch(), {}, []
    evaluator.evaluate = lambda proposal: Outcome(proposal, 0.5)

    def known(key, budget):
        asked.append(key)
        return told.get(key)

    controller = ListController([tuple(number // 5**place % 5 for place in range(6)) for number in range(2000)])
    flight = Flight(space, InTurn(evaluator), known, lambda proposal: None, 300, "arrival")
    for left in range(300, 0, -1):
        flight.fill(controller)
        one, outcome = flight.next(left, None, lambda: None)
        told[one.key] = outcome
    assert len(asked) < 5 * controller.asked


@pytest.mark.parametrize("order", ["deterministic", "arrival"])
def test_after_a_kill_the_journal_is_read_a_few_times_however_many_are_in_flight(tmp_path, order, monkeypatch):
    class Told(ListController):
        def tell(self, outcome):
            if outcome.proposal.number == self.last:
                raise InterruptedError

        def state(self):
            return {"asked": self.asked}

        def restore(self, state):
            self.asked = state["asked"]

        diagnostics, status_line = dict, str

    read, plain, count = [], Journal.__getitem__, 120
    monkeypatch.setattr(Journal, "__getitem__", lambda journal, number: read.append(number) or plain(journal, number))
    evaluator = SimpleNamespace(
        evaluate=lambda proposal: evaluated.append(proposal.number) or Outcome(proposal, 0.5),
        state=dict,
        restore=lambda state: None,
    )
    controller = Told([tuple(number // 5**place % 5 for place in range(6)) for number in range(3 * count)])
    with RunFolder.open("toy", "search", {}, tmp_path, tmp_path / "events") as folder:
        coach = Coach(
            NASBench201(),
            controller,
            evaluator,
            folder,
            trials=count,
            in_flight=count,
            order=order,
            checkpoint_every=999,
        )
        controller.last, evaluated = count - 10, []
        with pytest.raises(InterruptedError):
            coach.run()
        before = [dict(record) for record in folder.journal]
        controller.last, evaluated = -1, []
        read.clear()
        coach.run()
        assert [dict(record) for record in folder.journal][: len(before)] == before
        assert len(before) == count - 10 and len(evaluated) < 50 and len(read) < 8 * count
