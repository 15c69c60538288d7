"""Random search: that it never repeats itself, that it is uniform, and the history that it draws from."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from scipy.stats import chisquare

from alphaxenas.controllers import history as history
from alphaxenas.controllers.baselines.random_search import RandomSearch
from alphaxenas.controllers.history import PATIENCE, TrialHistory, complete_sequences
from alphaxenas.spaces import CellSpace

TINY = CellSpace(blocks=1, operations=("conv3x3", "identity"))
SMALL = CellSpace(blocks=2, operations=("conv3x3", "identity"), combinations=("add",))


def suggestions(strategy, count):
    return [tokens for tokens in (strategy.suggest() for _ in range(count)) if tokens is not None]


def test_no_key_is_drawn_twice():
    keys = [SMALL.key(SMALL.decode(tokens)) for tokens in suggestions(RandomSearch(SMALL, 0), 150)]
    assert len(set(keys)) == len(keys) == 150


@pytest.mark.parametrize("space", [TINY, SMALL], ids=["tiny", "small"])
def test_every_key_of_a_small_space_is_drawn_once_and_then_nothing(space):
    strategy = RandomSearch(space, 0)
    keys = Counter(space.key(space.decode(tokens)) for tokens in suggestions(strategy, space.size()))
    assert keys == Counter({space.key(space.decode(tokens)): 1 for tokens in complete_sequences(space)}.keys())
    assert strategy.suggest() is None


def test_the_end_of_a_small_space_survives_interruption(monkeypatch):
    # With little patience the last half of the keys is counted out instead of drawn.
    monkeypatch.setattr(history, "PATIENCE", 2)
    uninterrupted = suggestions(RandomSearch(SMALL, 0), SMALL.size())
    strategy, found = RandomSearch(SMALL, 0), []
    for _ in range(len(uninterrupted)):
        found += suggestions(strategy, 1)
        state = strategy.state()
        strategy = RandomSearch(SMALL, 1)
        strategy.restore(state)
    assert found == uninterrupted


def test_draws_are_uniform_over_sequences_also_when_few_are_left():
    first, last = Counter(), Counter()
    for seed in range(300):
        strategy = RandomSearch(TINY, seed)
        first[suggestions(strategy, 5)[0]] += 1
        strategy._history._scarce = True
        last[strategy.suggest()] += 1
    sequences = list(complete_sequences(TINY))
    assert chisquare([first[sequence] for sequence in sequences]).pvalue > 1e-3
    assert set(last) <= set(sequences) and len(last) > len(sequences) / 2


def test_counting_out_what_is_left_begins_only_after_many_vain_draws():
    drawer, rng = TrialHistory(TINY), np.random.default_rng(0)
    sequence_of = {drawer.key(tokens): tokens for tokens in complete_sequences(TINY)}
    last, *others = sorted(sequence_of)
    for key in others:
        drawer.suggest(sequence_of[key], key)
    assert drawer.key(drawer.draw(rng)) == last
    assert not drawer._scarce
    assert drawer.draw(rng) is None and drawer._scarce
    assert PATIENCE > 10 * TINY.size()


def test_what_is_suggested_by_other_means_is_not_drawn_from_what_is_left():
    drawer, rng = TrialHistory(SMALL), np.random.default_rng(0)
    drawer._scarce = True
    keys = {drawer.key(tokens) for tokens in complete_sequences(SMALL)}
    drawn = set()
    for _ in range(3):
        drawn.add(drawer.key(drawer.draw(rng)))
        tokens = next(tokens for tokens in complete_sequences(SMALL) if drawer.key(tokens) not in drawer)
        drawer.suggest(tokens, drawer.key(tokens))
        drawn.add(drawer.key(tokens))
    while (tokens := drawer.draw(rng)) is not None:
        assert drawer.key(tokens) not in drawn
        drawn.add(drawer.key(tokens))
    assert drawn == keys


def test_rewards_of_what_was_not_suggested_are_refused():
    strategy = RandomSearch(TINY, 0)
    tokens = strategy.suggest()
    strategy.observe(tokens, 0.5)
    with pytest.raises(ValueError, match="outstanding suggestions"):
        strategy.observe(tokens, 0.5)


def test_a_ledger_remembers_failures_as_failures():
    drawer = TrialHistory(TINY)
    one, two = (drawer.draw(np.random.default_rng(0)) for _ in range(2))
    drawer.observe(one, None)
    drawer.observe(two, 0.25)
    other = TrialHistory(TINY)
    other.restore(drawer.state())
    assert other.rewards == {drawer.key(one): None, drawer.key(two): 0.25}
