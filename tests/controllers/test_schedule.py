"""What an iteration of the original search remembers of its moves."""

from __future__ import annotations

import numpy as np

from alphaxenas.controllers.alphaxenas.schedule import IterationSchedule


def test_policies_are_those_of_the_moves_up_to_where_the_architecture_left_the_iteration():
    iteration = IterationSchedule(4, 1)
    iteration.note_move((1, 3), np.array([3, 1]))
    iteration.note_move((0, 1), np.array([1, 1]))
    iteration.note_move((2,), np.array([5]))
    rows = iteration.policies_along((1, 1, 2), played=(1, 0, 2))
    np.testing.assert_allclose(rows, [[0, 0.75, 0, 0.25], [0.5, 0.5, 0, 0], [0, 0, 0, 0]], atol=1e-6)
