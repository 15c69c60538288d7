"""The coach: what it records, when it stops, what it never does twice. Kills and broken disks: tests/faults."""

import json
from dataclasses import replace

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

import alphaxenas.coach
from alphaxenas.coach import Coach, place_of_choice
from alphaxenas.contracts import Budget, Outcome, Proposal
from alphaxenas.controllers import make_controller
from alphaxenas.runs import RunFolder
from alphaxenas.runs.journal import TIMING
from alphaxenas.spaces import NASBench201
from tests.faults.searches import Computed
from tests.faults.toy import DriftingEvaluator, SeededPlayer, WordSpace


class Script:
    """A controller that proposes what it was told to, and remembers what it hears."""

    def __init__(self, *moves):
        self.moves, self.number, self.heard = moves, 0, []

    def ask(self):
        if self.number == len(self.moves):
            return None
        tokens, purpose, epochs = self.moves[self.number]
        self.number += 1
        return Proposal(self.number - 1, tokens, Budget(epochs), purpose)

    def tell(self, outcome):
        self.heard.append(outcome)

    def diagnostics(self):
        return {"script/moves": self.number, "script/correlation": float("nan")}

    def status_line(self):
        return f"move {self.number}"

    def state(self):
        return {"number": self.number}

    def restore(self, state):
        self.number = state["number"]


class Counting(DriftingEvaluator):
    """Remembers what it was asked to evaluate."""

    def __init__(self):
        super().__init__()
        self.asked = []

    def evaluate(self, proposal):
        self.asked.append((proposal.tokens, proposal.purpose))
        return super().evaluate(proposal)


@pytest.fixture
def folder(tmp_path):
    with RunFolder.open("toy", "search", {"seed": 0, "prior": "none"}, tmp_path, tmp_path / "events") as opened:
        yield opened


A, B, SWAPPED_B, FAILING = (0, 0, 0), (0, 1, 2), (1, 0, 2), (2, 2, 2)


def test_the_journal_has_all_fields_of_every_trial(folder):
    Coach(WordSpace(), SeededPlayer(0), DriftingEvaluator(), folder, trials=6).run()
    for number, record in enumerate(folder.journal.read()):
        assert record["trial"] == number and record["status"] in ("ok", "failed")
        assert list(record) == [
            "trial",
            "purpose",
            "tokens",
            "architecture",
            "key",
            "epochs",
            "fraction",
            "status",
            "reward",
            "reason",
            "metrics",
            "best",
            "diagnostics",
            "seconds",
            "finished_at",
            "elapsed",
        ]


def test_trials_counts_trained_children_only(folder):
    results = Coach(WordSpace(), SeededPlayer(0), DriftingEvaluator(), folder, trials=9).run()
    records = folder.journal.read()
    trained = [record for record in records if record["epochs"] > 0 and "cached" not in record["metrics"]]
    assert len(trained) == 9 == results["trained"] and results["reason"] == "trials"
    assert len(records) > 9


def test_iterations_counts_finished_games(folder):
    results = Coach(WordSpace(), SeededPlayer(0), DriftingEvaluator(), folder, iterations=3).run()
    assert [record["purpose"] for record in folder.journal.read()].count("final") == 3
    assert results["reason"] == "iterations" and folder.journal.read()[-1]["purpose"] == "final"


def test_minutes_are_counted_over_restarts(folder):
    evaluator = DriftingEvaluator(seconds=0.1)
    results = Coach(WordSpace(), SeededPlayer(0), evaluator, folder, max_minutes=2 / 60).run()
    assert results["reason"] == "max_minutes" and 2 <= results["seconds"] < 10 and results["evaluations"] <= 26
    (folder.path / "results.json").unlink()
    again = Coach(WordSpace(), SeededPlayer(0), evaluator, folder, max_minutes=2 / 60).run()
    # The last checkpoint was written a moment before the limit: room for one child or two, not for another two seconds.
    assert again["evaluations"] <= results["evaluations"] + 2


def test_an_architecture_is_never_trained_twice_at_the_same_budget(folder):
    evaluator = Counting()
    script = Script((B, "search", 1), (A, "search", 1), (SWAPPED_B, "search", 1), (B, "final", 3), (B, "search", 1))
    Coach(WordSpace(), script, evaluator, folder).run()
    assert evaluator.asked == [(B, "search"), (A, "search"), (B, "final")]
    records = folder.journal.read()
    assert (
        records[2]["metrics"]["cached"] == 1 and records[2]["reward"] == records[0]["reward"] == script.heard[2].reward
    )
    assert records[2]["seconds"] == 0 and script.heard[2].proposal.tokens == SWAPPED_B


def test_a_refresh_is_evaluated_every_time_and_is_no_trial(folder):
    evaluator = Counting()
    results = Coach(
        WordSpace(), Script((B, "search", 1), (B, "refresh", 0), (A, "search", 1), (B, "refresh", 0)), evaluator, folder
    ).run()
    assert len(evaluator.asked) == 4 and results["trained"] == 2
    assert [record["purpose"] for record in results["best"]] == ["search", "search"]


def test_a_failed_child_is_recorded_with_its_reason_and_the_search_goes_on(folder):
    results = Coach(WordSpace(), Script((FAILING, "final", 3), (A, "final", 3)), DriftingEvaluator(), folder).run()
    failed, following = folder.journal.read()
    assert failed["status"] == "failed" and failed["reason"].endswith("loss is not finite") and failed["best"] is None
    assert following["status"] == "ok" and following["best"] == following["reward"]
    assert results["failed"] == 1 and [record["trial"] for record in results["best"]] == [1]
    assert "failed (DivergedError: loss is not finite)" in (folder.path.parent / "log.txt").read_text()


def test_a_child_that_failed_is_evaluated_once_more_unless_it_diverged(folder):
    class Recovering(Counting):
        def evaluate(self, proposal):
            self.asked.append((proposal.tokens, proposal.purpose))
            if proposal.tokens == B or len(self.asked) == 1:
                return Outcome(proposal, 0.0, "failed", reason="ResourceExhaustedError: no memory", seconds=2.0)
            return replace(DriftingEvaluator.evaluate(self, proposal), seconds=1.0)

    evaluator = Recovering()
    script = Script(*[(tokens, "search", 1) for tokens in (A, A, FAILING, FAILING, B, B)])
    Coach(WordSpace(), script, evaluator, folder).run()
    assert [tokens for tokens, _ in evaluator.asked] == [A, A, FAILING, B, B]
    assert [outcome.status for outcome in script.heard] == ["ok"] * 2 + ["failed"] * 4
    assert [record["seconds"] for record in folder.journal.read()] == [3.0, 0.0, 1.0, 0.0, 4.0, 0.0]


class FailsOnce(Computed):
    """Every third proposal fails at first, in whichever process; `ends` names one whose second try is never done."""

    def __init__(self, ends=None):
        self.failed, self.ends = set(), ends

    def evaluate(self, proposal):
        if proposal.number % 3 == 2 and proposal.number not in self.failed:
            self.failed.add(proposal.number)
            return Outcome(proposal, 0.0, "failed", reason="ResourceExhaustedError: no memory")
        if proposal.number == self.ends:
            self.ends = None
            raise InterruptedError
        return super().evaluate(proposal)


@pytest.mark.parametrize("controller", ["evolution", "uct"])
@pytest.mark.parametrize("in_flight", [1, 3])
def test_a_failure_that_passes_costs_a_search_nothing_also_where_it_is_killed_between_two_tries(
    tmp_path, controller, in_flight
):
    def searched(name, evaluator):
        space = NASBench201()
        with RunFolder.open("real", name, {}, tmp_path, tmp_path / "events") as folder:
            searcher = make_controller(controller, space, 0, Budget(1), Budget(3), 2)
            Coach(space, searcher, evaluator, folder, trials=12, in_flight=in_flight, checkpoint_every=4).run()
            return [{k: v for k, v in record.items() if k not in TIMING} for record in folder.journal]

    whole = searched("whole", Computed())
    assert "final" in [record["purpose"] for record in whole if record["trial"] % 3 == 2], "a promotion must fail"
    assert searched("failing", FailsOnce()) == whole
    for number in (2, 8):
        with pytest.raises(InterruptedError):
            searched(f"killed-{number}", evaluator := FailsOnce(number))
        assert searched(f"killed-{number}", evaluator) == whole


def test_a_reward_that_is_no_number_is_a_failure(folder):
    class Broken(DriftingEvaluator):
        def evaluate(self, proposal):
            return Outcome(proposal, float("nan"), metrics={"loss": float("inf"), "parameters": np.float32(3)})

    script = Script((A, "final", 1))
    results = Coach(WordSpace(), script, Broken(), folder).run()
    record = folder.journal.read()[0]
    assert (record["status"], record["reward"], record["metrics"]) == ("failed", 0.0, {"parameters": 3.0})
    assert script.heard[0].status == "failed" and results["headline"].startswith("no child could be evaluated")


def test_numbers_that_are_none_are_left_out_of_the_records(folder):
    Coach(WordSpace(), Script((A, "final", 1)), DriftingEvaluator(), folder).run()
    assert folder.journal.read()[0]["diagnostics"] == {"script/moves": 1.0}


def test_best_follows_final_outcomes_only(folder):
    Coach(WordSpace(), SeededPlayer(0), DriftingEvaluator(), folder, trials=20).run()
    best = None
    for record in folder.journal.read():
        if record["purpose"] == "final" and record["status"] == "ok":
            best = record["reward"] if best is None else max(best, record["reward"])
        assert record["best"] == best


def test_results_list_the_best_architectures_each_once(folder):
    results = Coach(WordSpace(), SeededPlayer(0), DriftingEvaluator(), folder, trials=25).run()
    keys = [record["key"] for record in results["best"]]
    finals = [record["reward"] for record in results["best"] if record["purpose"] == "final"]
    assert len(set(keys)) == len(keys) <= 10 and finals == sorted(finals, reverse=True)
    assert results["best"][0]["reward"] == folder.journal.read()[-1]["best"]
    assert json.loads((folder.path / "results.json").read_text()) == results


class Believer(Script):
    """Expects the more of an architecture the larger its tokens are."""

    known = True

    def quality(self, sequences):
        return np.array([float(sum(tokens)) for tokens in sequences]) if self.known else None


def test_a_controller_that_believes_something_chooses_among_the_finals(folder):
    moves = [(B, "search", 1), (A, "final", 3), (B, "final", 3), (FAILING, "search", 1)]
    results = Coach(WordSpace(), Believer(*moves), DriftingEvaluator(), folder).run()
    first, second, *_ = results["best"]
    assert results["chosen_by"] == "belief" and f"{second['reward']:.4f}" in results["headline"]
    assert (first["tokens"], second["tokens"]) == (list(B), list(A)) and first["reward"] < second["reward"]
    assert place_of_choice(results, second["key"]) == 1 and place_of_choice(results, "other") == len(results["best"])
    assert place_of_choice(results | {"chosen_by": "reward"}, second["key"]) == place_of_choice(None, "other") == 0


def test_a_belief_that_knows_too_little_leaves_the_choice_to_rewards(folder, monkeypatch):
    monkeypatch.setattr(Believer, "known", False)
    results = Coach(WordSpace(), Believer((A, "final", 3), (B, "final", 3)), DriftingEvaluator(), folder).run()
    assert results["chosen_by"] == "reward" and results["best"][0]["tokens"] == list(A)


def test_a_finished_run_returns_its_results_without_playing(folder):
    results = Coach(WordSpace(), SeededPlayer(0), DriftingEvaluator(), folder, trials=3).run()
    assert Coach(WordSpace(), None, None, folder, trials=3).run() == results


def test_an_exhausted_controller_ends_the_run(folder):
    assert (
        Coach(WordSpace(), Script((A, "final", 1)), DriftingEvaluator(), folder, trials=100).run()["reason"]
        == "space exhausted"
    )


def test_a_controller_that_finds_nothing_new_ends_the_run(folder, monkeypatch):
    monkeypatch.setattr(alphaxenas.coach, "MAX_REPEATS", 5)
    results = Coach(WordSpace(), Script(*[(A, "final", 1)] * 50), DriftingEvaluator(), folder, trials=100).run()
    assert results["reason"] == "space exhausted" and results["evaluations"] == 6 and results["trained"] == 1


def test_an_unexpected_error_is_logged_and_the_run_continues_there_even_with_the_same_objects(folder, tmp_path):
    class Moody(DriftingEvaluator):
        patience = 4

        def evaluate(self, proposal):
            self.patience -= 1
            if self.patience == 0:
                self.weights += 100
                raise RuntimeError("the cable was pulled")
            return super().evaluate(proposal)

    player, evaluator = SeededPlayer(0), Moody()
    coach = Coach(WordSpace(), player, evaluator, folder, trials=8)
    with pytest.raises(RuntimeError, match="cable"):
        coach.run()
    assert "trial 3 ended in RuntimeError: the cable was pulled" in (folder.path.parent / "log.txt").read_text()
    assert coach.run()["trained"] == 8
    with RunFolder.open("toy", "undisturbed", {}, tmp_path, tmp_path / "events") as other:
        Coach(WordSpace(), SeededPlayer(0), DriftingEvaluator(), other, trials=8).run()
        assert [record["reward"] for record in folder.journal.read()] == [
            record["reward"] for record in other.journal.read()
        ]


def test_checkpoints_are_written_after_so_many_evaluations(folder):
    steps = []
    folder.checkpoints.save = lambda step, state: steps.append(step)
    moves = [((0, 0, letter), "search", epochs) for epochs in (1, 2, 3) for letter in range(3)]
    Coach(WordSpace(), Script(*moves), DriftingEvaluator(), folder, checkpoint_every=4).run()
    assert steps == [0, 4, 8, 9]


def test_tensorboard_and_log_show_what_a_person_wants_to_know(folder):
    Coach(WordSpace(), SeededPlayer(0), DriftingEvaluator(), folder, trials=8).run()
    files = list(folder.tensorboard_path.iterdir())
    assert len(files) == 1
    tags = EventAccumulator(str(folder.tensorboard_path)).Reload().Tags()
    assert {
        "accuracy/best",
        "accuracy/current",
        "accuracy/final",
        "accuracy/search",
        "seconds/child",
        "player/sum",
    } <= set(tags["scalars"])
    assert tags["images"] == ["best/cell"] and "best/architecture" in tags["tensors"]
    log = (folder.path.parent / "log.txt").read_text().splitlines()
    assert any("trial 2 final 0.4234 (3 ep. x 50% data" in line and "best letter" in line for line in log)
    assert "finished (trials): best validation accuracy" in log[-1]


def test_curves_and_texts_of_language_models_do_not_call_their_reward_accuracy(folder):
    class Language(DriftingEvaluator):
        def evaluate(self, proposal):
            outcome = super().evaluate(proposal)
            return replace(outcome, metrics={"perplexity": 321.5}) if outcome.status == "ok" else outcome

    Coach(WordSpace(), Script((FAILING, "final", 3), (A, "final", 3)), Language(), folder).run()
    events = EventAccumulator(str(folder.tensorboard_path)).Reload()
    tags = events.Tags()["scalars"]
    assert {"reward/best", "reward/current", "reward/final"} <= set(tags) and not any("accuracy" in tag for tag in tags)
    text = events.Tensors("best/architecture")[0].tensor_proto.string_val[0].decode()
    assert "perplexity 321.50, trial 1" in text and "accuracy" not in text
    experiment = HParamsPluginData.FromString(events.PluginTagToContent("hparams")["_hparams_/experiment"]).experiment
    assert [info.name.tag for info in experiment.metric_infos] == ["reward/best", "reward/current"]


class Stateless(Counting):
    """Children from scratch: they leave nothing behind."""

    def state(self):
        return {}

    def restore(self, state):
        pass


def test_children_from_scratch_that_are_in_the_journal_are_not_trained_again(tmp_path):
    def play(evaluator, script):
        with RunFolder.open("toy", "search", {"seed": 0}, tmp_path, tmp_path / "events") as folder:
            return Coach(WordSpace(), script, evaluator, folder, checkpoint_every=100).run(), folder.journal.path

    class Stops(Stateless):
        def evaluate(self, proposal):
            if len(self.asked) == 2:
                raise RuntimeError("out of memory")
            return super().evaluate(proposal)

    moves, first, second = ((A, "search", 1), (B, "search", 1), (B, "final", 3)), Stops(), Stateless()
    with pytest.raises(RuntimeError):
        play(first, Script(*moves))
    script = Script(*moves)
    _, path = play(second, script)
    assert first.asked == [(A, "search"), (B, "search")] and second.asked == [(B, "final")]
    assert len(script.heard) == 3 and len(path.read_bytes().splitlines()) == 3
