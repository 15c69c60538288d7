"""How an iteration spends its children, and what it remembers of its moves."""

from __future__ import annotations

import numpy as np

from alphaxenas.controllers.alphaxenas.schedule import IterationSchedule


def children(iteration, moves):
    """The kinds of the children of each move."""
    kinds = []
    for move in range(moves):
        kinds.append([])
        while (kind := iteration.next_child(move)) is not None:
            kinds[-1].append(kind[0])
    return ["".join(part) for part in kinds]


def test_children_are_spread_over_the_moves_and_uniform_ones_over_the_children():
    assert children(IterationSchedule(8, 2, 1, 4, 0.5), 8) == ["u", "", "g", "", "u", "", "g", ""]
    assert children(IterationSchedule(2, 2, 1, 5, 0.0), 2) == ["ggg", "gg"]
    assert children(IterationSchedule(3, 2, 1, 0, 0.0), 3) == ["", "", ""]


def test_an_iteration_begun_again_has_had_its_children_and_a_new_one_has_not():
    iteration = IterationSchedule(2, 2, 7, 2, 0.0)
    assert children(iteration, 2) == ["g", "g"]
    iteration.left, iteration.noised = 0, True
    iteration.begin_again()
    assert (iteration.left, iteration.noised, children(iteration, 2)) == (7, False, ["", ""])
    iteration.begin()
    assert children(iteration, 2) == ["g", "g"]


def test_policies_are_those_of_the_moves_up_to_where_the_architecture_left_the_iteration():
    iteration = IterationSchedule(3, 4, 1, 0, 0.0)
    iteration.note_move((1, 3), np.array([3, 1]))
    iteration.note_move((0, 1), np.array([1, 1]))
    iteration.note_move((2,), np.array([5]))
    rows = iteration.policies_along((1, 1, 2), played=(1, 0, 2))
    np.testing.assert_allclose(rows, [[0, 0.75, 0, 0.25], [0.5, 0.5, 0, 0], [0, 0, 0, 0]], atol=1e-6)
