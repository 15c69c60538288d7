"""Local search: what it looks at before it moves, and when it restarts."""

from __future__ import annotations

from alphaxenas.controllers.baselines.local_search import LocalSearch
from tests.controllers.tabular import SPACE, Digits, reward, search


def test_it_never_leaves_a_better_neighbour_unseen():
    strategy, seen, left = LocalSearch(SPACE, 0), set(), 0
    for _ in range(400):
        before = strategy.state()
        tokens = strategy.suggest()
        if strategy.diagnostics()["local/optima"] > before["counters"][1]:
            left += 1
            # Known neighbours are looked at and gone to within one call: the last centre is the last known one it
            # reached.
            centre = _climb(tuple(before["centre"][0]), seen)
            assert all(other in seen and reward(other) <= reward(centre) for other in SPACE.neighbours(centre))
        seen.add(tokens)
        strategy.observe(tokens, reward(tokens))
    assert left >= 5


def _climb(centre, seen):
    """Where known neighbours lead to."""
    while True:
        better = [other for other in SPACE.neighbours(centre) if other in seen and reward(other) > reward(centre)]
        if not better:
            return centre
        centre = max(better, key=reward)


def test_the_first_better_neighbour_is_gone_to_at_once():
    space = Digits(6, 3)
    strategy = LocalSearch(space, 0)
    start = strategy.suggest()
    strategy.observe(start, 0.5)
    neighbour = strategy.suggest()
    strategy.observe(neighbour, 0.6)
    following = strategy.suggest()
    assert sum(a != b for a, b in zip(following, neighbour)) == 1
    assert tuple(strategy.state()["centre"][0]) == neighbour


def test_neighbours_come_in_random_order():
    space = Digits(3, 3)
    orders = set()
    for seed in range(5):
        strategy = LocalSearch(space, seed)
        start = strategy.suggest()
        strategy.observe(start, 0.5)
        orders.add(tuple(space.neighbours(start).index(tokens) for tokens in search(strategy, 6, lambda tokens: 0.1)))
    assert len(orders) == 5


def test_all_neighbours_may_be_outstanding_and_it_waits_for_the_last():
    space = Digits(3, 3)
    strategy = LocalSearch(space, 0)
    start = strategy.suggest()
    assert strategy.suggest() is None
    strategy.observe(start, 0.5)
    waiting = [strategy.suggest() for _ in range(6)]
    assert set(waiting) == set(space.neighbours(start)) and strategy.suggest() is None
    for tokens in waiting[1:]:
        strategy.observe(tokens, 0.1)
    assert strategy.suggest() is None
    strategy.observe(waiting[0], 0.7)
    strategy.suggest()
    assert tuple(strategy.state()["centre"][0]) == waiting[0]


def test_a_failed_start_or_neighbour_is_passed_over():
    strategy = LocalSearch(SPACE, 0)
    found = search(strategy, 200, lambda tokens: None if tokens[0] == 3 else reward(tokens))
    assert len(found) == len(set(found)) == 200
    assert strategy.state()["centre"][0][0] != 3
