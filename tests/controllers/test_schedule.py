"""What an iteration of the original search remembers of its moves."""

from __future__ import annotations

import numpy as np

from alphaxenas.controllers.alphaxenas.schedule import IterationSchedule


def test_policies_are_the_visit_distributions_of_the_moves_and_survive_a_restore():
    iteration, other = IterationSchedule(4, 1), IterationSchedule(4, 1)
    assert iteration.policies().shape == (0, 4)
    iteration.note_move((1, 3), np.array([3, 1]))
    iteration.note_move((0, 1), np.array([1, 1]))
    iteration.note_move((2,), np.array([5]))
    other.restore(iteration.state())
    for each in (iteration, other):
        np.testing.assert_allclose(each.policies(), [[0, 0.75, 0, 0.25], [0.5, 0.5, 0, 0], [0, 0, 1, 0]], atol=1e-6)
    iteration.begin()
    assert iteration.policies().shape == (0, 4)
