"""Figures of NAO from numbers of this file's making: what they show, and that missing numbers do not stop them."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from alphaxenas.report import nao_figures as figures
from alphaxenas.spaces.micro import MicroSpace

SPACE = MicroSpace(2)


def sequences(count):
    rng = np.random.default_rng(0)
    return [SPACE.encode(SPACE.sample(rng)) for _ in range(count)]


def trajectory():
    first, second, third = sequences(3)
    written = [first, first, second, second, third]
    return SimpleNamespace(
        steps=np.array([0.0, 0.1, 0.5, 1.0, 2.0]),
        scores=np.linspace(0.3, 0.9, 5),
        sequences=written,
        read_again=np.array([0.3, 0.3, 0.6, 0.6, 0.5]),
    )


def test_rounds_are_read_from_a_journal_once_each_and_only_where_something_was_measured():
    records = [{"diagnostics": {}}, {"diagnostics": {"nao/round": 0.0}}] + [
        {
            "diagnostics": {
                "nao/round": float(number),
                "nao/held_out": 3.0,
                "nao/hamming": 1.0 / number,
                "search/children": 5.0,
            }
        }
        for number in (1, 1, 2)
    ]
    assert figures.rounds_of(records) == [
        {"round": 1.0, "held_out": 3.0, "hamming": 1.0},
        {"round": 2.0, "held_out": 3.0, "hamming": 0.5},
    ]


def test_quality_has_a_line_per_search_and_says_where_nothing_was_measured():
    rounds = [{"round": number, "pairwise_accuracy": 0.7, "hamming": 2.0} for number in (1, 2, 3)]
    pairs, ranks, hamming = figures.quality_curves({"from scratch": rounds, "nothing": []}).axes
    assert [line.get_label() for line in pairs.lines if not line.get_label().startswith("_")] == ["from scratch"]
    assert pairs.get_ylim()[0] < 0 and pairs.get_ylim()[1] > 1 and len(hamming.lines) == 1
    assert "No round was measured" in ranks.texts[0].get_text()


def test_a_walk_marks_where_another_architecture_is_decoded():
    assert figures.changes(trajectory()) == [0, 2, 4]
    (panel,) = figures.trajectory_curves([trajectory()], ["the worst"]).axes
    assert panel.get_title() == "from the worst"
    lines = {line.get_label(): line.get_ydata() for line in panel.lines if not line.get_label().startswith("_")}
    np.testing.assert_allclose(lines["at the latent point"], np.linspace(0.3, 0.9, 5)[1:])
    assert len(panel.lines) == 3 + 2


def test_decoded_cells_are_drawn_with_their_step_and_score():
    texts = [text.get_text() for text in figures.decoded_cells([trajectory()], SPACE).texts]
    assert texts == ["step 0.00: predicted 0.300", "step 0.50: predicted 0.600", "step 2.00: predicted 0.500"]


def test_a_search_too_short_for_trajectories_is_a_sentence():
    for figure in (figures.trajectory_curves([], ["the worst"]), figures.decoded_cells([], SPACE)):
        assert "Too few different architectures" in figure.axes[0].texts[0].get_text()


def test_a_pool_shows_every_member_and_tells_newcomers_apart():
    records = [
        {"round": number, "key": f"k{number * 2 + place}", "reward": 0.5 + 0.1 * place}
        for number in (0, 1)
        for place in range(3)
    ]
    rounds = [{"round": number, "standard_error": 0.02, "spread": 0.1, "images": 100} for number in (0, 1)]
    pool, error = figures.pool_dots(records, rounds).axes
    assert sum(len(dots.get_offsets()) for dots in pool.collections) == 6
    old = [dots for dots in pool.collections if len(dots.get_offsets()) and dots.get_label() == "member before"]
    assert [len(dots.get_offsets()) for dots in pool.collections if len(dots.get_offsets())] == [3, 1, 2] and not old
    assert [text.get_text() for text in error.texts] == ["100", "100"]


def test_the_best_stand_with_known_cells_below():
    found = [{"where": "scratch", "reward": 0.8}, {"where": "shared", "reward": 0.6}]
    results = {"models": [{"validation_accuracy": 0.9}, {"validation_accuracy": 0.85}]}
    zoo = {"models": [{"name": "darts_v2", "validation_accuracy": 0.95}]}
    (axes,) = figures.best_bars(found, results, zoo).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["1. scratch", "2. shared", "darts_v2"]
    assert [label.get_text() for label in figures.best_bars(found, results).axes[0].get_yticklabels()] == [
        "1. scratch",
        "2. shared",
    ]
