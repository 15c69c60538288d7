"""Figures that live: redrawn from stored records while a person looks on, once at the end otherwise."""

import gc
import weakref

import pytest
from matplotlib.image import imread

from alphaxenas.coach import Coach
from alphaxenas.contracts import Budget
from alphaxenas.controllers.catalogue import make_controller
from alphaxenas.report.notebook import live as module
from alphaxenas.report.notebook.live import live, live_figure
from alphaxenas.report.runs import StoredRun
from alphaxenas.runs import RunFolder
from tests.report.conftest import SPACE, Formula


@pytest.fixture
def play(tmp_path):
    """A search by UCT over formulas, watched by whoever is."""

    def begin(run="s", trials=6):
        controller = make_controller("uct", SPACE, 0, Budget(1, 0.5), Budget(3), 3)
        evaluator = Formula(0.0, 0, -1)
        evaluators.add(evaluator)
        with RunFolder.open(run, "uct-seed0", {}, tmp_path / "exp", tmp_path / "events") as folder:
            return Coach(SPACE, controller, evaluator, folder, trials=trials).run()

    begin.evaluators = evaluators = weakref.WeakSet()
    return begin


def test_what_a_search_has_trained_with_is_not_kept_for_the_figure(play):
    with live(show=lambda picture: None) as figure:
        for run in ("first", "second"):
            play(run)
        gc.collect()
        assert not play.evaluators and len(figure.runs["uct-seed0"].records) >= 6


def test_a_figure_is_redrawn_while_a_person_looks_on_and_once_at_the_end_otherwise(play, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SHARE", 1e9)
    shown = []
    with live(seconds=0.0, show=shown.append) as quiet:
        play("quiet")
        assert quiet.drawings == 0
    assert quiet.drawings == len(shown) == 1
    monkeypatch.setenv("JPY_SESSION_NAME", "notebooks/02_controller_search.ipynb")
    with live(seconds=0.0, show=shown.append) as watched:
        play("watched", trials=4)
    assert watched.drawings >= 4 and len(set(shown)) >= 4, "every picture is another"
    (tmp_path / "last.png").write_bytes(shown[-1])
    assert imread(tmp_path / "last.png").shape[1] == 1000


def test_drawing_takes_a_small_share_of_the_time(play, monkeypatch):
    monkeypatch.setenv("JPY_SESSION_NAME", "x")
    with live(seconds=3600.0, show=lambda picture: None) as figure:
        play()
    assert figure.drawings == 2, "the first record and the end"


def test_whoever_looks_on_cannot_end_a_search(play, caplog):
    from alphaxenas.runs.watch import watching

    def broken(loop):
        raise ZeroDivisionError("no figure")

    with watching(broken):
        assert play()["trained"] == 6
    assert caplog.text.count("no longer redrawn") == 1


def test_a_search_shows_children_best_architecture_and_tree(play):
    with live(show=lambda picture: None) as figure:
        play()
    drawn = live_figure(figure.runs, **figure._about)
    children, best, tree = drawn.axes
    records = figure.runs["uct-seed0"].records
    assert sum(len(dots.get_offsets()) for dots in children.collections) == len(records)
    assert children.lines[0].get_ydata()[-1] == max(r["reward"] for r in records if r["purpose"] == "final")
    assert best.get_title().startswith("best of UCT (ranked values), seed 0: 0.") and "nodes" in tree.get_title()
    rounds = ({"round": 0, "purpose": "round", "reward": 0.1, "entropy": 3.0, "unique": 1.0},)
    beside = StoredRun("s", "recurrent-enas-seed0", {"parameters": {}, "seed": 0}, rounds, None)
    again = live_figure({"recurrent-enas-seed0": beside, **figure.runs}, **figure._about)
    assert len(again.axes) == 3, "rounds of shared weights have no place beside children, and do no harm"


@pytest.mark.parametrize("metrics, label", [({"perplexity": 9.0}, "perplexity"), ({"loss": 1.0}, "accuracy")])
def test_a_search_is_drawn_over_what_its_children_are_rated_by(metrics, label):
    child = {"purpose": "search", "status": "ok", "reward": 0.5, "best": None, "metrics": metrics}
    run = StoredRun("s", "random-seed0", {"parameters": {}, "seed": 0}, (child,), None)
    assert label in live_figure({"random-seed0": run}).axes[0].get_ylabel()


@pytest.mark.parametrize(
    "records, panels",
    [
        ([{"name": "rank1", "epoch": 1, "loss": 1.0, "train_accuracy": 0.5, "validation_accuracy": 0.4}], 2),
        ([{"round": 0, "purpose": "round", "reward": 0.1, "entropy": 3.0, "unique": 1.0}], 3),
        ([{"name": "LSTM, seed 0", "windows": 3, "loss": 2.0, "validation_loss": 1.9}], 2),
        ([{"round": 0, "key": "a", "reward": 0.3}], 1),
    ],
    ids=["training", "rounds", "language", "pool"],
)
def test_every_kind_of_run_has_a_figure(records, panels):
    run = StoredRun("s", "stage", {"parameters": {}, "seed": 0}, tuple(records), None)
    assert len(live_figure({"stage": run}).axes) == panels
