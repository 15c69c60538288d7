"""Drawings that explain the method, for notebook 00: token sequences, the tree, the LSTM, shared weights, the loop.

Nothing here reads a run; numbers come from `tutorial.numbers`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.patches import Rectangle

from alphaxenas.controllers.mcts.tree import Leaf
from alphaxenas.report.pictures import arrow, box, canvas, write
from alphaxenas.report.style import BLUE, GREEN, GREY, INK, ORANGE, RED, WIDTH, Style, legend_above, new_figure
from alphaxenas.report.tutorial.numbers import (
    ORIGINAL_ACCURACIES,
    ORIGINAL_EXPANSIONS,
    mean_visits,
    nesterov_step,
    original_visits,
    our_visits,
    puct_scores,
    snapshot,
    toy_tree,
    tree_layout,
)
from alphaxenas.spaces import Cell, CellSpace
from alphaxenas.spaces.drawing.registry import draw, natural_size

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CHOICES = ("input 1", "input 2", "operation 1", "operation 2", "combination")
PALE_BLUE, PALE_ORANGE, PALE_GREEN, PALE_GREY = "#dcebf5", "#fbeccb", "#d5efe6", "#eef0f3"
_TINTS = (PALE_GREY, PALE_GREY, PALE_BLUE, PALE_BLUE, PALE_ORANGE)


def token_sequence(space: CellSpace, cell: Cell) -> Figure:
    """A cell as its token sequence, one row per block, above the drawing of the same cell.

    Args:
        space: Says what could have been chosen at every step.
        cell: Of this space.
    """
    tokens, row = space.encode(cell), 0.46
    strip = 0.45 + row * len(cell.blocks)
    wide, tall = natural_size(cell)
    scale = min(1.0, WIDTH / wide)
    figure, axes = canvas(strip + 0.25 + scale * tall)
    top = strip + 0.25 + scale * tall
    width = (WIDTH - 0.6) / len(CHOICES)
    for column, name in enumerate(CHOICES):
        write(axes, 0.6 + (column + 0.5) * width, top - 0.2, name, colour=GREY)
    for move, token in enumerate(tokens):
        block, column = divmod(move, len(CHOICES))
        y = top - 0.45 - row * (block + 0.5)
        x = 0.6 + (column + 0.5) * width
        if column == 0:
            write(axes, 0.3, y, f"b{block}", 10, weight="bold")
        box(axes, x, y, width - 0.12, row - 0.1, "", _TINTS[column])
        write(axes, x - width / 2 + 0.14, y, f"{move + 1}", 7, GREY, ha="left")
        write(axes, x, y, space.vocabulary[token], 10)
        write(axes, x + width / 2 - 0.14, y, f"of {len(space.legal_actions(tokens[:move]))}", 7, GREY, ha="right")
    below = figure.add_axes(((WIDTH - scale * wide) / 2 / WIDTH, 0, scale * wide / WIDTH, scale * tall / top))
    draw(space, cell, below)
    return figure


def search_loop() -> Figure:
    """Who tells whom what: ask, evaluate, tell, record."""
    figure, axes = canvas(4.3)
    for x, fill, title in ((2.15, PALE_BLUE, "controller"), (7.85, PALE_ORANGE, "evaluator")):
        box(axes, x, 2.55, 3.9, 3.2, "", fill)
        write(axes, x, 3.93, title, 11, weight="bold")
    for x, y, text in (
        (2.15, 3.15, "tree inside a Gaussian process:\none token per move"),
        (2.15, 1.6, "LSTM: which token next,\nhow good will it get"),
        (7.85, 3.15, "child: the cell repeated,\ntrained a little, validated"),
        (7.85, 1.6, "bank of shared weights,\none array per place and operation"),
    ):
        box(axes, x, y, 3.3, 0.75, text, "white")
    for x, up, down in ((2.15, "priors, values", "visits, rewards"), (7.85, "its path", "what moved")):
        arrow(axes, (x - 0.9, 2.02), (x - 0.9, 2.73), INK, up, "left")
        arrow(axes, (x + 0.9, 2.73), (x + 0.9, 2.02), INK, down, "right")
    arrow(axes, (4.15, 3.4), (5.85, 3.4), BLUE)
    write(axes, 5.0, 3.72, "ask:\ntokens and budget", colour=BLUE)
    arrow(axes, (5.85, 2.35), (4.15, 2.35), ORANGE)
    write(axes, 5.0, 2.06, "tell:\nvalidation accuracy")
    coach = "coach: carries both ways, never trains the same child twice, writes journal, checkpoint, curves, log"
    box(axes, 5.0, 0.42, 9.6, 0.62, coach, PALE_GREEN)
    arrow(axes, (5.0, 1.72), (5.0, 0.76), GREEN)
    return figure


def one_simulation() -> Figure:
    """The tenth simulation of the real tree on a toy space of three choices among three tokens, in three steps."""
    exploration = 1.5
    tree = toy_tree(9, exploration)
    scores, (figure, axes) = puct_scores(tree, exploration), new_figure(1, 3, height=3.5)
    before = snapshot(tree)
    leaf = tree.select_and_expand()
    assert leaf is not None and leaf.value is not None, "the toy tree is not solved yet"
    grown = snapshot(tree)
    titles = ("1  select: largest score", "2  expand: ask for priors and value", "3  back up along the path")
    for number, (panel, title) in enumerate(zip(axes, titles)):
        if number == 2:
            tree.backup(leaf, leaf.value)
        nodes = (before, grown, snapshot(tree))[number]
        _draw_tree(panel, nodes, leaf, scores if number == 0 else {}, number, before)
        panel.set_title(title, color=INK, fontsize=11)
    return figure


def lstm_unrolled() -> Figure:
    """The LSTM over a prefix: what it reads at each step and what it says at the end."""
    tokens, (figure, axes) = ("start", "prev", "prev2", "conv3x3", "sep5x5"), canvas(3.45)
    step, left = 1.42, 1.55
    last = left + step * (len(tokens) - 1)
    always = "at every step: log(1 + epochs), share of the data, age of the shared weights"
    box(axes, (left + last) / 2, 0.4, step * len(tokens) - 0.2, 0.5, always, PALE_GREEN)
    for number, token in enumerate(tokens):
        x = left + step * number
        box(axes, x, 1.22, 0.74, 0.42, token, PALE_GREY)
        box(axes, x, 2.1, 1.05, 0.6, "LSTM", PALE_BLUE)
        arrow(axes, (x, 1.44), (x, 1.79), INK)
        arrow(axes, (x + 0.45, 0.66), (x + 0.45, 1.79), GREEN)
        arrow(axes, (x, 2.41), (x, 2.84), ORANGE)
        box(axes, x, 3.05, 0.42, 0.4, "+", PALE_ORANGE)
        if number:
            arrow(axes, (x - step + 0.53, 2.1), (x - 0.53, 2.1), INK)
            arrow(axes, (x - step + 0.22, 3.05), (x - 0.22, 3.05), ORANGE)
    write(axes, 0.45, 3.05, "value,\nsummed up")
    write(axes, 0.45, 1.22, "tokens")
    arrow(axes, (last + 0.22, 3.05), (last + 0.75, 3.05), ORANGE)
    write(axes, last + 0.8, 3.05, "v: expected accuracy\nat this budget", ha="left")
    arrow(axes, (last + 0.53, 2.1), (last + 0.75, 2.1), BLUE)
    write(axes, last + 0.8, 2.6, "P: which token next", ha="left")
    for name, share, y in (("add", 0.45, 2.22), ("concat", 0.18, 1.92)):
        axes.add_patch(Rectangle((last + 0.8, y - 0.1), 2.0 * share, 0.2, facecolor=BLUE, edgecolor="none"))
        write(axes, last + 0.87 + 2.0 * share, y, name, 8, ha="left")
    write(axes, last + 0.8, 1.6, "illegal tokens: masked", 8, GREY, ha="left")
    return figure


def shared_weights(space: CellSpace, first: Cell, second: Cell) -> Figure:
    """Which places of the bank two children train: the table of one cell of the network, place by operation.

    Args:
        space: Names the operations.
        first: A child.
        second: Another child.
    """
    places = [f"b{block}, input {side}" for block in range(space.blocks) for side in (1, 2)]
    figure, (panel,) = new_figure(height=0.9 + 0.3 * len(places))
    used = [
        {(2 * block + side, kind) for block, row in enumerate(cell.rows) for side, kind in enumerate(row[2:4])}
        for cell in (first, second)
    ]
    kinds = {
        (True, False): ("first child", BLUE),
        (False, True): ("second child", ORANGE),
        (True, True): ("both: the second goes on from the first", GREEN),
        (False, False): ("untouched", PALE_GREY),
    }
    drawn: dict[str, Any] = {}
    for row, column in np.ndindex(len(places), len(space.operations)):
        place = (row, space.operations[column])
        label, colour = kinds[place in used[0], place in used[1]]
        corner = (column - 0.46, row - 0.42)
        drawn[label] = panel.add_patch(Rectangle(corner, 0.92, 0.84, facecolor=colour, edgecolor="none", label=label))
    panel.set(xlim=(-0.6, len(space.operations) - 0.4), ylim=(len(places) - 0.4, -0.6))
    panel.set_xticks(range(len(space.operations)), space.operations)
    panel.set_yticks(range(len(places)), places)
    panel.tick_params(length=0)
    panel.grid(False)
    panel.spines[:].set_visible(False)
    legend_above(figure, 4, {label: drawn[label] for label, _ in kinds.values() if label in drawn})
    return figure


def dense_block() -> Figure:
    """A dense block: every layer reads the outputs of all layers before it."""
    layers, (figure, axes) = 4, canvas(2.5)
    y, step = 0.75, (WIDTH - 1.6) / (layers + 1)
    places = [0.8 + step * number for number in range(layers + 2)]
    for number, x in enumerate(places):
        for later in range(number + 1, len(places)):
            bend = 0.0 if later == number + 1 else -0.32
            ends = (
                ((x + 0.56, y), (places[later] - 0.56, y))
                if not bend
                else ((x + 0.1, y + 0.3), (places[later] - 0.25 + 0.1 * number, y + 0.3))
            )
            arrow(axes, *ends, GREEN if bend else INK, bend=bend)
    for number, x in enumerate(places):
        inner = 0 < number <= layers
        text = f"layer {number}\n+ k channels" if inner else "transition" if number else "input"
        box(axes, x, y, 1.12, 0.6, text, PALE_BLUE if inner else PALE_GREY)
    return figure


def original_mistakes(exploration: float = 1.0) -> Figure:
    """Three of the original's mistakes in numbers: repeated updates, two value scales, a search that hardly compares.

    Args:
        exploration: c of PUCT on our side of the third panel.
    """
    figure, (steps, scales, visits) = new_figure(1, 3, height=3.7)
    uses = np.array([1, 2, 4, 8, 16, 32, 48])
    lengths = [nesterov_step(int(count)) for count in uses]
    steps.plot(uses, lengths, color=RED, marker="o", label="one update per use (original)")
    steps.plot(uses, [lengths[0]] * len(uses), color=BLUE, marker="o", markersize=4, label="one update per step (here)")
    steps.set(xscale="log", yscale="log", ylim=(0.1, 90))
    steps.set(xlabel="uses of a kernel in the network", ylabel="length of the first step")
    steps.set_xticks(uses, map(str, uses), minor=False)
    steps.set_xticks([], minor=True)
    for (label, accuracies), colour, offset in zip(ORIGINAL_ACCURACIES.items(), (ORANGE, RED), (0.045, -0.06)):
        scales.plot(range(1, 5), accuracies, color=colour, marker="o")
        write(scales, 2.5, float(np.mean(accuracies)) + offset, label, 8)
    scales.set(ylim=(0.5, 0.85), xticks=range(1, 5))
    scales.set(xlabel="quarter of the original's search", ylabel="accuracy")
    values = np.array([0.55, 0.57, 0.59, 0.60, 0.62, 0.64, 0.66, 0.68, 0.70, 0.75])
    theirs = mean_visits(original_visits, values)
    ours = mean_visits(lambda worth: our_visits(worth, exploration), values)
    for shift, counts, colour, name in ((-0.2, theirs, RED, "original"), (0.2, ours, BLUE, "here")):
        label = f"{name}: a visit is worth {counts @ values / counts.sum():.3f}"
        visits.bar(np.arange(len(values)) + shift, counts, width=0.4, color=colour, label=label)
    visits.set_xticks(range(len(values)), [f"{value:.2f}".lstrip("0") for value in values], fontsize=8)
    visits.set(ylim=(0, 1.45 * max(theirs.max(), ours.max())))
    visits.set(xlabel="true value of the action", ylabel="visits on average")
    titles = ("repeated updates", "two scales in one tree", f"{ORIGINAL_EXPANSIONS} simulations of one move")
    for panel, title in zip((steps, scales, visits), titles):
        panel.set_title(title, fontsize=11)
    for panel in (steps, visits):
        panel.legend(frameon=False, fontsize=8, loc="upper left")
    return figure


def _draw_tree(panel: Axes, nodes: dict, leaf: Leaf, scores: dict, stage: int, before: dict) -> None:
    """The expanded nodes, the walked path in colour; scores on the edges that competed along it."""
    walked = {leaf.tokens[:depth] for depth in range(len(leaf.tokens) + 1)}
    # Edges that competed but lead nowhere yet are shown as stubs.
    rivals = {tokens for tokens in scores if tokens[:-1] in walked}
    places = tree_layout({*nodes, *rivals})
    for tokens, (x, y) in places.items():
        on_path = tokens in walked
        colour = BLUE if on_path else GREY
        if tokens:
            x0, y0 = places[tokens[:-1]]
            panel.plot([x0, x], [y0 - 0.17, y + 0.17], color=colour, linewidth=2.2 if on_path else 0.9, zorder=1)
            label = "abc"[tokens[-1]] + (f"\n{scores[tokens]:.2f}" if tokens in rivals else "")
            edge: dict[str, Any] = {"weight": "bold", "colour": RED} if on_path and rivals else {"weight": "normal"}
            paper = Style(facecolor="white", edgecolor="none", pad=0.6)
            write(panel, (x0 + 2 * x) / 3, (y0 + 2 * y) / 3, label, 7.5, zorder=2, bbox=paper, **edge)
        if tokens in nodes:
            count, mean = nodes[tokens]
            at_leaf = tokens == leaf.tokens
            text = f"N {count}" + ("" if np.isnan(mean) else f"\nQ {mean:.2f}".replace("0.", "."))
            if stage == 1 and at_leaf:
                text = f"v {leaf.value:.2f}".replace("0.", ".")
            fill = PALE_GREEN if at_leaf and stage else PALE_BLUE if on_path else PALE_GREY
            paper = Style(facecolor=fill, edgecolor=colour, boxstyle="round,pad=0.25", linewidth=0.8)
            changed = stage == 2 and nodes[tokens] != before.get(tokens)
            write(panel, x, y, text, 7.5, zorder=3, weight="bold" if changed else "normal", bbox=paper)
    panel.grid(False)
    right, below = max(x for x, _ in places.values()) + 0.7, min(y for _, y in places.values()) - 0.3
    panel.set(xlim=(-0.7, right), ylim=(below, 0.25), xticks=[], yticks=[])
    panel.spines[:].set_visible(False)
