"""Trials of another search: what is read, what is refused, what controllers make of them; they are never ours."""

import json

import numpy as np
import pytest

from alphaxenas.coach import Coach
from alphaxenas.contracts import Budget
from alphaxenas.controllers.catalogue import STRATEGIES, make_controller
from alphaxenas.report.figures import trial_dots
from alphaxenas.report.runs import load_suite
from alphaxenas.runs import RunFolder, same_record
from alphaxenas.runs.status import run_status
from alphaxenas.spaces import NASBench201
from alphaxenas.tabular.foreign_trials import read_foreign_trials
from tests.faults.searches import Computed

SPACE, BUDGET = NASBench201(), Budget(1)
RNG = np.random.default_rng(0)
ARCHITECTURES = list({SPACE.key(one): one for one in (SPACE.sample(RNG) for _ in range(40))}.values())[:30]


def lines(count=30, **more):
    return [
        {"architecture": str(a), "reward": 0.5 + n / 100, "budget": 1, **more}
        for n, a in enumerate(ARCHITECTURES[:count])
    ]


@pytest.fixture
def file(tmp_path):
    def write(rows, name="foreign.jsonl"):
        if name.endswith(".csv"):
            text = "\n".join([",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)])
        else:
            text = "\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows)
        (tmp_path / name).write_text(text + "\n")
        return tmp_path / name

    return write


@pytest.mark.parametrize("name", ["foreign.jsonl", "foreign.csv"])
def test_both_forms_give_the_same_trials(file, name):
    found = read_foreign_trials(file(lines(), name), SPACE, BUDGET)
    assert len(found) == 30 and found[3].reward == 0.53 and found[3].proposal.purpose == "imported"
    assert SPACE.decode(found[3].proposal.tokens) == SPACE.parse(str(ARCHITECTURES[3]))


def test_repetitions_are_averaged_and_other_budgets_left_out(file):
    rows = [*lines(2), {**lines(1)[0], "reward": 0.7}, {**lines(1)[0], "reward": 0.9, "budget": 12}]
    assert [outcome.reward for outcome in read_foreign_trials(file(rows), SPACE, BUDGET)] == [pytest.approx(0.6), 0.51]


@pytest.mark.parametrize(
    "rows, part",
    [
        (
            [*lines(2), {**lines(1)[0], "architecture": "|conv9x9~0|"}],
            "an architecture of the searched space in line 3 of",
        ),
        ([{**lines(1)[0], "reward": 93.4}], "a `reward` from 0 to 1 in line 1 of .*Received: 93.4"),
        ([{**lines(1)[0], "reward": None}], "a `reward` from 0 to 1 in line 1"),
        ([{"architecture": "x", "reward": 0.5}], "a `budget` in epochs in line 1"),
        ([{**lines(1)[0], "budget": 12}], "trials with the budget of the search, 1 epochs.*Received: budgets 12"),
        (["no json"], "a CSV file, or JSON lines"),
        (["[1, 2]"], "a CSV file, or JSON lines"),
        ([{"reward": 0.5, "budget": 1}], "an `architecture` in line 1"),
        ([*lines(1), *lines(1, fraction=None)], "a `fraction` of the images above 0, .* in line 2 of .*Received: None"),
        (lines(1, fraction=""), "a `fraction` of the images above 0, at most 1, in line 1 of .*Received: ''"),
        (lines(1, fraction=50), "a `fraction` of the images above 0, at most 1, in line 1 of .*Received: 50"),
    ],
)
def test_what_is_no_trial_of_this_space_is_refused_naming_the_line(file, rows, part):
    with pytest.raises(ValueError, match=f"`import_trials`.*{part}"):
        read_foreign_trials(file(rows), SPACE, BUDGET)


def test_rewards_of_another_share_of_the_images_are_left_out(file):
    rows = [*lines(2, fraction=BUDGET.fraction), *lines(4)[2:3], *lines(4, fraction=BUDGET.fraction / 2)[3:]]
    assert len(read_foreign_trials(file(rows), SPACE, BUDGET)) == 3


def test_a_csv_file_names_missing_columns(file):
    with pytest.raises(ValueError, match="the columns architecture, reward, budget in"):
        read_foreign_trials(file([{"arch": "x", "reward": 1}], "foreign.csv"), SPACE, BUDGET)
    with pytest.raises(ValueError, match="import_trials.*No such file"):
        read_foreign_trials("/no/such/file.csv", SPACE, BUDGET)


def search(exp_dir, controller, imported, trials=8, evaluator=None):
    with RunFolder.open(
        "suite", "random-seed0", {"seed": 0}, exp_dir, exp_dir / "events", limits=("trials",)
    ) as folder:
        return Coach(SPACE, controller, evaluator or Computed(), folder, trials=trials, imported=imported).run()


@pytest.mark.parametrize("name", ["random", "evolution", "uct"])
def test_imported_trials_are_marked_and_neither_counted_nor_ranked(file, tmp_path, name):
    imported = read_foreign_trials(file([{**row, "reward": 0.99} for row in lines()]), SPACE, BUDGET)
    results = search(tmp_path, make_controller(name, SPACE, 0, BUDGET, Budget(3), 3), imported)
    assert (results["trained"], results["evaluations"], results["imported"]) == (8, 8, 30)
    assert all(record["purpose"] != "imported" for record in results["best"]) and results["best"][0]["reward"] < 0.99
    known = {SPACE.key(architecture) for architecture in ARCHITECTURES}
    run = load_suite("suite", tmp_path).searches[0]
    assert len(run.imported) == 30 and len(run.records) == 8 and not {r["key"] for r in run.records} & known
    assert all(record["seconds"] == 0 and record["best"] is None for record in run.imported)
    assert "30 imported trials, not counted" in " ".join(load_suite("suite", tmp_path).remarks())
    assert "imported: by another search" in [
        text.get_text() for text in trial_dots({"x": (run,)}).legends[0].get_texts()
    ]
    assert run_status(tmp_path / "suite")[0].trained == 8


@pytest.mark.parametrize("name", [name for name in STRATEGIES if name not in ("nao", "guided", "static")])
def test_every_controller_learns_from_them_and_does_not_propose_them_again(file, name):
    imported = read_foreign_trials(file(lines()), SPACE, BUDGET)
    controller = make_controller(name, SPACE, 0, BUDGET, Budget(3), 3)
    for outcome in imported:
        controller.learn(outcome)
    known, again = {SPACE.key(one) for one in ARCHITECTURES}, make_controller(name, SPACE, 0, BUDGET, Budget(3), 3)
    again.restore(json.loads(json.dumps(controller.state(), default=lambda array: array.tolist())))
    for _ in range(8):
        proposal = controller.ask()
        assert again.ask() == proposal and SPACE.key(SPACE.decode(proposal.tokens)) not in known
        outcome = Computed().evaluate(proposal)
        controller.tell(outcome), again.tell(outcome)


def test_evolution_mutates_good_imported_architectures_at_once(file):
    imported = read_foreign_trials(file(lines(20)), SPACE, BUDGET)
    controller = make_controller("evolution", SPACE, 0, BUDGET, population=20, sample=20)
    for outcome in imported:
        controller.learn(outcome)
    child = SPACE.decode(controller.ask().tokens)
    parents = [SPACE.parse(str(architecture)) for architecture in ARCHITECTURES[10:20]]
    assert any(child in SPACE.neighbours(parent) for parent in parents)


def test_an_import_that_was_interrupted_continues_to_the_same_journal(file, tmp_path):
    imported = read_foreign_trials(file(lines()), SPACE, BUDGET)

    class Stops(Computed):
        def evaluate(self, proposal):
            raise KeyboardInterrupt

    def controller():
        return make_controller("evolution", SPACE, 0, BUDGET, Budget(3), 3)

    search(tmp_path / "whole", controller(), imported)
    broken = controller()
    learn, count = broken.learn, []

    def stops(outcome):
        count.append(outcome)
        if len(count) == 12:
            raise RuntimeError("killed")
        learn(outcome)

    broken.learn = stops
    with pytest.raises(RuntimeError):
        search(tmp_path / "cut", broken, imported)
    with pytest.raises(KeyboardInterrupt):
        search(tmp_path / "cut", controller(), imported, evaluator=Stops())
    search(tmp_path / "cut", controller(), imported)
    journals = [
        (tmp_path / kind / "suite/random-seed0/trials.jsonl").read_text().splitlines() for kind in ("whole", "cut")
    ]
    assert len(journals[0]) == len(journals[1]) == 38
    assert all(same_record(json.loads(one), json.loads(other)) for one, other in zip(*journals))


def test_the_journal_of_another_run_can_be_imported(tmp_path):
    search(tmp_path, make_controller("random", SPACE, 0, BUDGET, Budget(3), 3), (), trials=12)
    found = read_foreign_trials(tmp_path / "suite/random-seed0/trials.jsonl", SPACE, BUDGET)
    assert len(found) == 9, "its finals have another budget"
