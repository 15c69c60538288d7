"""Laws of stratified draws."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from alphaxenas.data.split import stratified_draw, take_out

class_sizes = st.lists(st.integers(0, 30), min_size=1, max_size=8).filter(any)


def shuffled_labels(sizes, seed):
    return np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))


@settings(deadline=None)
@given(sizes=class_sizes, share=st.floats(0, 1), seed=st.integers(0, 99))
def test_every_class_is_drawn_within_one_of_its_exact_share(sizes, share, seed):
    labels = shuffled_labels(sizes, seed)
    count = round(share * len(labels))
    drawn = stratified_draw(labels, count, np.random.default_rng(seed))
    assert len(drawn) == len(set(drawn.tolist())) == count
    counts = np.bincount(labels[drawn], minlength=len(sizes))
    exact = np.array(sizes) * count / len(labels)
    assert np.all(np.abs(counts - exact) < 1)


@settings(deadline=None)
@given(sizes=class_sizes, share=st.floats(0, 1), seed=st.integers(0, 99))
def test_taken_and_left_are_a_partition(sizes, share, seed):
    labels = shuffled_labels(sizes, seed)
    candidates = np.flatnonzero(np.arange(len(labels)) % 3 != 1)
    taken, left = take_out(labels, candidates, round(share * len(candidates)), np.random.default_rng(seed))
    assert sorted([*taken, *left]) == candidates.tolist()


def test_every_example_is_equally_likely():
    labels = np.repeat([0, 1, 2], [5, 10, 15])
    rng = np.random.default_rng(0)
    hits = np.zeros(30)
    for _ in range(4_000):
        hits[stratified_draw(labels, 10, rng)] += 1
    np.testing.assert_allclose(hits / 4_000, 1 / 3, atol=0.04)


def test_the_order_of_the_draw_is_random():
    labels = np.repeat([0, 1], 500)
    drawn = stratified_draw(labels, 500, np.random.default_rng(0))
    first_half = labels[drawn[:250]].mean()
    assert 0.4 < first_half < 0.6
    assert not np.array_equal(drawn, np.sort(drawn))
