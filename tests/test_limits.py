"""Limits are not identity: a search goes on bit for bit as if it had had its limits from the start."""

import json

import pytest

from alphaxenas.coach import Coach, reaches
from alphaxenas.runs import RunFolder, same_record
from tests.faults.toy import DriftingEvaluator, SeededPlayer, WordSpace

LIMITS = ("iterations", "trials", "max_minutes")
STEPS = [
    [{"trials": 2}, {"trials": 9}],
    [{"trials": 1}, {"trials": 4}, {"trials": 9}],
    [{"iterations": 1}, {"trials": 9}],
    [{"max_minutes": 1e-9}, {"trials": 9}],
]


def search(place, checkpoint_every=1, stop_after=None, **limits):
    """Plays with these limits; `stop_after` trials the process is killed, as far as the records can tell."""

    class Killed(Exception):
        pass

    class Mortal(DriftingEvaluator):
        def evaluate(self, proposal):
            if self.trained == stop_after:
                raise Killed
            return super().evaluate(proposal)

    parameters = {"seed": 0, "iterations": 0, "trials": 0, "max_minutes": 0.0} | limits
    with RunFolder.open("toy", "search", parameters, place, place / "events", limits=LIMITS) as folder:
        coach = Coach(WordSpace(), SeededPlayer(0), Mortal(), folder, checkpoint_every=checkpoint_every, **limits)
        if stop_after is None:
            return coach.run(), folder.journal.read(), json.loads((folder.path / "run.json").read_text())
        with pytest.raises(Killed):
            coach.run()


def same(first, second):
    return len(first) == len(second) and all(map(same_record, first, second))


@pytest.mark.parametrize("checkpoint_every", [1, 3])
@pytest.mark.parametrize("steps", STEPS)
def test_a_finished_search_is_extended_as_if_it_had_had_the_limit_from_the_start(tmp_path, steps, checkpoint_every):
    _, whole, _ = search(tmp_path / "whole", **steps[-1])
    for limits in steps:
        results, records, description = search(tmp_path / "parts", checkpoint_every, **limits)
    assert same(records, whole) and results["trained"] == 9
    assert description["parameters"]["trials"] == 9 and len(description["limits_before"]) == len(steps) - 1


def test_an_interrupted_search_is_cut_short(tmp_path):
    search(tmp_path, stop_after=5, trials=20)
    results, records, description = search(tmp_path, trials=5)
    assert results["trained"] == 5 and results["reason"] == "trials" and description["parameters"]["trials"] == 5
    _, whole, _ = search(tmp_path / "whole", trials=5)
    assert same(records, whole)


def test_what_lies_beyond_the_last_checkpoint_of_a_search_cut_short_is_dropped_and_can_come_back(tmp_path):
    search(tmp_path, stop_after=5, checkpoint_every=3, trials=20)
    _, records, _ = search(tmp_path, trials=4)
    _, whole, _ = search(tmp_path / "whole", trials=9)
    assert same(records, whole[: len(records)])
    _, records, _ = search(tmp_path, trials=9)
    assert same(records, whole)


@pytest.mark.parametrize("limits", [{"trials": 3}, {"trials": 9}, {"iterations": 1}])
def test_a_search_that_has_more_than_is_asked_for_shows_what_it_has(tmp_path, limits):
    before = search(tmp_path, trials=9)
    assert search(tmp_path, **limits) == before


def test_an_exhausted_space_stays_so():
    results = {"reason": "space exhausted", "trained": 5, "iterations": 0, "seconds": 1.0}
    assert reaches(results, trials=9) and not reaches(results | {"reason": "trials"}, trials=9)
