"""The learning rate at any moment: warm-up, cosine, warm restarts; the decay of the moving average."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alphaxenas.networks.training.recipe import Recipe


class TestTheSchedule:
    def test_a_cosine_from_the_rate_to_zero(self):
        recipe = Recipe(learning_rate=0.2)
        assert [recipe.rate_at(progress) for progress in (0, 0.25, 0.5, 1)] == pytest.approx([0.2, 0.1707107, 0.1, 0.0])

    def test_warm_up_rises_linearly_and_the_cosine_takes_the_rest(self):
        recipe = Recipe(learning_rate=0.2, warmup=0.1)
        assert [recipe.rate_at(progress) for progress in (0, 0.05, 0.1, 0.55, 1)] == pytest.approx(
            [0.0, 0.1, 0.2, 0.1, 0.0]
        )

    def test_a_training_that_is_all_warm_up_rises_to_its_end(self):
        assert [Recipe(0.2, warmup=1.0).rate_at(progress) for progress in (0, 0.5, 1)] == pytest.approx([0.0, 0.1, 0.2])

    def test_the_cosine_can_end_above_zero(self):
        recipe = Recipe(learning_rate=0.2, final_learning_rate=0.01)
        assert [recipe.rate_at(progress) for progress in (0, 0.5, 1)] == pytest.approx([0.2, 0.2 * 0.505, 0.002])

    def test_it_never_rises_after_the_warm_up(self):
        recipe = Recipe(warmup=0.2)
        rates = [recipe.rate_at(progress) for progress in np.linspace(0.2, 1, 50)]
        assert rates == sorted(rates, reverse=True)


class TestWarmRestarts:
    """Against Loshchilov & Hutter 2017, equation 5, counted in epochs."""

    @staticmethod
    def by_the_formula(epoch, high, low, first, growth):
        start, length = 0.0, first
        while epoch >= start + length:
            start, length = start + length, length * growth
        return low + 0.5 * (high - low) * (1 + math.cos(math.pi * (epoch - start) / length))

    @pytest.mark.parametrize(
        "first, growth, epochs", [(10, 2, 630), (5, 1, 20), (3, 2, 10), (1, 3, 40), (7, 1.5, 30), (20, 2, 10)]
    )
    def test_the_curve_is_the_published_one(self, first, growth, epochs):
        recipe = Recipe(0.05, final_learning_rate=0.0001 / 0.05, restart=first / epochs, restart_growth=growth)
        for step in range(epochs * 7):
            expected = self.by_the_formula(step / 7, 0.05, 0.0001, first, growth)
            assert recipe.rate_at(step / (7 * epochs)) == pytest.approx(expected, abs=1e-7), step / 7

    def test_the_rate_jumps_up_at_the_restarts_of_naos_630_epochs_and_falls_everywhere_else(self):
        recipe = Recipe(0.05, restart=10 / 630)
        rates = [recipe.rate_at(epoch / 630) for epoch in range(630)]
        assert [epoch for epoch in range(1, 630) if rates[epoch] > rates[epoch - 1]] == [10, 30, 70, 150, 310]
        assert all(rates[epoch] == 0.05 for epoch in (0, 10, 30, 70, 150, 310))

    @given(st.integers(1, 50), st.integers(1, 400))
    def test_rounding_never_misses_a_restart(self, first, epochs):
        recipe, restarts, length = Recipe(1.0, restart=first / epochs), [], first
        while sum(restarts[-1:]) + length < epochs:
            restarts.append(sum(restarts[-1:]) + length)
            length *= 2
        assert all(recipe.rate_at(epoch / epochs) == 1.0 for epoch in restarts)

    def test_they_begin_after_the_warm_up(self):
        recipe = Recipe(0.2, warmup=0.2, restart=0.4, restart_growth=1.0)
        assert [recipe.rate_at(progress) for progress in (0.1, 0.2, 0.4, 0.6, 0.8)] == pytest.approx(
            [0.1, 0.2, 0.1, 0.2, 0.1]
        )

    def test_without_them_there_is_one_cosine(self):
        assert Recipe(0.2).rate_at(0.5) == Recipe(0.2, restart=1.0).rate_at(0.5) == pytest.approx(0.1)


class TestDrops:
    def test_the_rate_stays_and_drops_to_a_tenth_at_every_share(self):
        recipe = Recipe(0.2, warmup=0.1, rate_drops=(0.5, 0.75))
        shares = (0.05, 0.1, 0.499, 0.5, 0.749, 0.75, 1)
        assert [recipe.rate_at(share) for share in shares] == pytest.approx([0.1, 0.2, 0.2, 0.02, 0.02, 0.002, 0.002])

    @given(st.integers(2, 400), st.data())
    def test_rounding_never_misses_an_epoch(self, epochs, data):
        drop = data.draw(st.integers(1, epochs - 1))
        rates = [Recipe(1.0, rate_drops=(drop / epochs,)).rate_at(epoch / epochs) for epoch in range(epochs)]
        assert rates == [1.0] * drop + [0.1] * (epochs - drop)

    @pytest.mark.parametrize("other", [{"restart": 0.5}, {"schedule": "triangle"}])
    def test_they_are_refused_beside_what_else_moves_the_rate(self, other):
        with pytest.raises(ValueError, match="`rate_drops`. Expected none with restarts or a triangle"):
            Recipe(rate_drops=(0.5,), **other)


def test_the_decay_of_the_average_grows_to_its_bound():
    recipe = Recipe(average=0.99)
    assert [recipe.decay_at(updates) for updates in (0, 1, 10)] == [1 / 10, 2 / 11, 11 / 20]
    assert recipe.decay_at(10_000) == 0.99
    assert np.all(np.diff([recipe.decay_at(updates) for updates in range(2000)]) >= 0)
