"""Draws from a pool: what each policy prefers, and by how much (F41)."""

from __future__ import annotations

import numpy as np
import pytest

from alphaxenas.supernet.pool_sampling import SAMPLE_POLICIES, draw_probabilities

POOL = {
    "uniform": [3, 1, 2],
    "parameters": [100, 200, 700],
    "accuracy": [0.2, 0.2, 0.4],
    "prediction": [0.9, -0.3, 0.1],
}
EXPECTED = {
    "uniform": [1 / 3] * 3,
    "parameters": [0.1, 0.2, 0.7],
    "accuracy": [0.25, 0.25, 0.5],
    "prediction": [0.9, 0.0, 0.1],
}


@pytest.mark.parametrize("policy", SAMPLE_POLICIES)
def test_empirical_frequencies_match(policy):
    probabilities = draw_probabilities(policy, POOL[policy])
    np.testing.assert_allclose(probabilities, EXPECTED[policy])
    counts = np.bincount(np.random.default_rng(0).choice(3, 20_000, p=probabilities), minlength=3)
    np.testing.assert_allclose(counts / 20_000, EXPECTED[policy], atol=0.012)


def test_a_pool_of_which_nothing_good_is_known_is_drawn_from_uniformly():
    np.testing.assert_allclose(draw_probabilities("accuracy", [0.0] * 4), [0.25] * 4)
    np.testing.assert_allclose(draw_probabilities("prediction", [-1.0, 0.0]), [0.5] * 2)


@pytest.mark.parametrize(
    "policy, values, says",
    [
        ("size", [0.1], "`policy`"),
        ("parameters", [], "`values`"),
        ("prediction", [0.1, np.nan], "`values`"),
        ("accuracy", [0.1, -0.1], "`values`"),
        ("uniform", [], "`values`"),
    ],
)
def test_what_is_missing_or_impossible_is_named(policy, values, says):
    with pytest.raises(ValueError, match=says):
        draw_probabilities(policy, values)
