"""The drawings of notebook 00 show what the code they explain does."""

import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from matplotlib.text import Text

from alphaxenas.report.tutorial import figures as tutorial_figures
from alphaxenas.report.tutorial import numbers as tutorial_numbers
from alphaxenas.spaces import CellSpace

SPACE = CellSpace(blocks=2)
FIRST = SPACE.parse("prev:conv3x3 + prev2:sep5x5; b0:identity | prev:maxpool3x3")
SECOND = SPACE.parse("prev:conv3x3 + prev2:sep3x3; b0:identity + b0:conv7x7")
DRAWINGS = {
    "token_sequence": lambda: tutorial_figures.token_sequence(SPACE, FIRST),
    "search_loop": tutorial_figures.search_loop,
    "one_simulation": tutorial_figures.one_simulation,
    "lstm_unrolled": tutorial_figures.lstm_unrolled,
    "shared_weights": lambda: tutorial_figures.shared_weights(SPACE, FIRST, SECOND),
    "dense_block": tutorial_figures.dense_block,
    "original_mistakes": tutorial_figures.original_mistakes,
}


def texts(figure):
    return [text.get_text() for text in figure.findobj(Text)]


@pytest.mark.parametrize("name", DRAWINGS)
def test_all_lettering_lies_inside_the_figure(name):
    figure = DRAWINGS[name]()
    figure.canvas.draw()
    width, height = figure.bbox.size
    outside = [
        tick.label1
        for axes in figure.axes
        for axis in (axes.xaxis, axes.yaxis)
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks())
        if not min(axis.get_view_interval()) <= tick.get_loc() <= max(axis.get_view_interval())
    ]
    shown = [text for text in figure.findobj(Text) if text.get_text() and text.get_visible() and text not in outside]
    assert shown
    for text in shown:
        box = text.get_window_extent()
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height, text.get_text()


def test_the_sequence_shows_every_token_and_how_many_were_legal():
    shown = Counter(texts(tutorial_figures.token_sequence(SPACE, FIRST)))
    tokens = SPACE.encode(FIRST)
    for name, count in Counter(SPACE.vocabulary[token] for token in tokens).items():
        assert shown[name] >= count
    choices = Counter(f"of {len(SPACE.legal_actions(tokens[:move]))}" for move in range(len(tokens)))
    assert {text: shown[text] for text in choices} == choices


@pytest.mark.parametrize("simulations", [1, 4, 9, 15, 26])
@pytest.mark.parametrize("exploration", [0.5, 1.5, 4.0])
def test_tree_walks_along_the_scores_that_are_drawn(simulations, exploration):
    tree = tutorial_numbers.toy_tree(simulations, exploration)
    scores = tutorial_numbers.puct_scores(tree, exploration)
    walked = tree.select_and_expand().tokens
    for depth in range(1, len(walked) + 1):
        siblings = {tokens: score for tokens, score in scores.items() if tokens[:-1] == walked[: depth - 1]}
        closed = tree.statistics(walked[: depth - 1])["solved"]
        open_siblings = [score for tokens, score in siblings.items() if not closed[tokens[-1]]]
        assert scores[walked[:depth]] == pytest.approx(max(open_siblings))


def test_last_panel_counts_the_simulation_on_its_path_and_nowhere_else():
    figure = tutorial_figures.one_simulation()
    bold = [text.get_text() for text in figure.axes[2].texts if text.get_weight() == "bold"]
    assert "N 11" in bold
    path = tutorial_numbers.toy_tree(9, 1.5).select_and_expand().tokens
    assert len(bold) == 1 + len(path)


def test_each_place_of_the_bank_has_the_colour_of_the_children_that_use_it():
    figure = tutorial_figures.shared_weights(SPACE, FIRST, SECOND)
    labels = Counter(patch.get_label() for patch in figure.axes[0].patches)
    both = "both: the second goes on from the first"
    assert labels == {"first child": 2, "second child": 2, both: 2, "untouched": 4 * 10 - 6}


def test_one_update_per_use_multiplies_the_step():
    assert tutorial_numbers.nesterov_step(1) == pytest.approx(0.19)
    # Computed with the optimiser of the original: four uses of one variable, gradient 1, rate 0.1, momentum 0.9.
    assert tutorial_numbers.nesterov_step(4) == pytest.approx(1.21, abs=0.005)


def test_original_rule_clings_to_the_first_action_where_ours_tries_all():
    equal = np.full(10, 0.65)
    theirs, ours = tutorial_numbers.original_visits(equal), tutorial_numbers.our_visits(equal, exploration=1.5)
    assert theirs.sum() == ours.sum() == tutorial_numbers.ORIGINAL_EXPANSIONS
    assert theirs[0] > 2 and theirs[0] == theirs.max()
    assert ours.max() <= 2 and ours.min() >= 1


def test_ours_visits_better_actions_more_often_than_the_original():
    values = np.linspace(0.55, 0.75, 10)
    theirs = tutorial_numbers.mean_visits(tutorial_numbers.original_visits, values)
    ours = tutorial_numbers.mean_visits(lambda worth: tutorial_numbers.our_visits(worth, 1.0), values)
    assert theirs.sum() == pytest.approx(tutorial_numbers.ORIGINAL_EXPANSIONS) and ours.sum() == pytest.approx(
        tutorial_numbers.ORIGINAL_EXPANSIONS
    )
    assert ours @ values > theirs @ values


def test_drawings_need_no_tensorflow():
    code = (
        "import sys; from alphaxenas.report.tutorial import figures as tutorial_figures; "
        "tutorial_figures.one_simulation(); sys.exit('tensorflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
