"""Pictures of cells: nothing overlaps, whatever the cell."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from alphaxenas.spaces import CellSpace, NASBench101, NASBench201, Table
from alphaxenas.spaces.drawing.layered import Edge, _descending, arrange
from alphaxenas.spaces.drawing.registry import draw, natural_size


def boxes_of(cell, space):
    """Outlines of all boxes in the picture as (left, bottom, right, top), in data units."""
    axes = Figure().add_subplot()
    draw(space, cell, axes)
    boxes = [patch for patch in axes.patches if isinstance(patch, FancyBboxPatch)]
    return axes, [(b.get_x(), b.get_y(), b.get_x() + b.get_width(), b.get_y() + b.get_height()) for b in boxes]


def overlap(one, other):
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def contains(one, other):
    return one[0] <= other[0] and one[1] <= other[1] and one[2] >= other[2] and one[3] >= other[3]


@pytest.mark.parametrize("blocks", [1, 2, 3, 4, 5, 6])
def test_boxes_never_overlap_and_lie_within_the_axes(blocks):
    space, rng = CellSpace(blocks=blocks), np.random.default_rng(blocks)
    for _ in range(3):
        axes, boxes = boxes_of(space.sample(rng), space)
        # A frame, two operations and a sign per block; one or two inputs; the output.
        assert 4 * blocks + 2 <= len(boxes) <= 4 * blocks + 3
        for one, other in combinations(boxes, 2):
            assert not overlap(one, other) or contains(one, other) or contains(other, one)
        (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
        assert all(contains((left, bottom, right, top), box) for box in boxes)


def test_natural_size_grows_with_the_depth_of_the_cell_and_suits_its_shape():
    flat = CellSpace(blocks=4).parse("; ".join(["prev:conv3x3 + prev2:conv3x3"] * 4))
    chain = "; ".join(f"b{k}:identity + b{k}:identity" for k in range(3))
    deep = CellSpace(blocks=4).parse(f"prev:conv3x3 + prev2:conv3x3; {chain}")
    (flat_width, flat_height), (deep_width, deep_height) = natural_size(flat), natural_size(deep)
    assert deep_width > 1.5 * flat_width and flat_height > 1.5 * deep_height


def test_a_small_picture_is_the_large_one_in_small():
    space = CellSpace(blocks=4)
    cell = space.sample(np.random.default_rng(0))
    widths = []
    for inches in (3, 12):
        figure = Figure(figsize=(inches, inches / 2))
        draw(space, cell, figure.add_axes((0, 0, 1, 1)))
        widths.append(max(patch.get_linewidth() for patch in figure.axes[0].patches))
    assert widths[1] > 2 * widths[0]


def test_long_edges_keep_clear_of_the_boxes_they_pass():
    columns = {"a": 0, "b": 1, "c": 2, "d": 3}
    edges = [Edge("a", "b"), Edge("b", "c"), Edge("c", "d", 0), Edge("a", "d", 1)]
    heights = dict.fromkeys(columns, 2.0)
    layout = arrange(columns, edges, heights, dict.fromkeys(columns, 1.0), rail_height=0.2, gap=0.3)
    assert layout.route(edges[3]) == [("a", 0), ("a", 1), ("a", 2), ("d", 3)]
    for column, passed in ((1, "b"), (2, "c")):
        assert abs(layout.y["a", column] - layout.y[passed, column]) >= 1.0 + 0.1 + 0.3 - 1e-9


def test_crossings_that_can_be_avoided_are():
    columns = {"a": 0, "b": 0, "c": 1, "d": 1}
    edges = [Edge("a", "d"), Edge("b", "c")]
    layout = arrange(columns, edges, dict.fromkeys(columns, 1.0), dict.fromkeys(columns, 0.5), rail_height=0.1, gap=0.3)
    assert (layout.y["a", 0] > layout.y["b", 0]) == (layout.y["d", 1] > layout.y["c", 1])


def test_two_ports_turn_to_face_their_sources():
    columns = {"a": 0, "b": 0, "c": 0, "d": 1, "e": 1}
    edges = [Edge("a", "d", 1), Edge("b", "d", 0), Edge("b", "e", 1), Edge("c", "e", 0)]
    layout = arrange(columns, edges, dict.fromkeys(columns, 1.0), dict.fromkeys(columns, 0.5), rail_height=0.1, gap=0.3)
    for target, (one, other) in (("d", ("a", "b")), ("e", ("b", "c"))):
        port = {edge.source: edge.port for edge in edges if edge.target == target}
        higher = layout.y[one, 0] > layout.y[other, 0]
        assert (layout.port_y(target, port[one], 0.5) > layout.port_y(target, port[other], 0.5)) == higher


def test_nearest_descending_sequence():
    assert _descending(np.array([3.0, 2.0, 1.0])).tolist() == [3.0, 2.0, 1.0]
    assert _descending(np.array([1.0, 3.0, 0.0])).tolist() == [2.0, 2.0, 0.0]
    assert _descending(np.array([0.0, 1.0, 5.0])).tolist() == [2.0, 2.0, 2.0]


@pytest.mark.parametrize("space", [NASBench101(), NASBench201(), NASBench101(4)], ids=str)
def test_boxes_of_benchmark_graphs_never_overlap_and_lie_within_the_axes(space):
    rng = np.random.default_rng(0)
    for _ in range(12):
        axes, boxes = boxes_of(space.sample(rng), space)
        assert len(boxes) >= 2
        assert not any(overlap(one, other) for one, other in combinations(boxes, 2))
        (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
        assert all(contains((left, bottom, right, top), box) for box in boxes)


def test_a_cell_without_any_live_edge_is_drawn_too():
    axes, boxes = boxes_of(NASBench201().parse("000000"), NASBench201())
    assert not any(overlap(one, other) for one, other in combinations(boxes, 2))


def test_a_long_code_is_drawn_in_rows():
    space = Table((("a",) * 40, ("b",) * 40))
    axes, boxes = boxes_of(space.parse("a" * 40), space)
    assert len(boxes) == 40 and not any(overlap(one, other) for one, other in combinations(boxes, 2))


def test_a_space_from_elsewhere_draws_itself_or_is_written_as_text():
    class Silent:
        pass

    class Drawing:
        def draw(self, architecture, axes):
            axes.set_title(f"drawn {architecture}")

    axes = Figure().add_subplot()
    draw(Silent(), (1, 2), axes)
    assert [text.get_text() for text in axes.texts] == ["(1, 2)"]
    draw(Drawing(), (1, 2), axes)
    assert axes.get_title() == "drawn (1, 2)"
