"""Children that come and go leave no memory behind."""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace

import numpy as np
import psutil
import pytest

from alphaxenas.children.bank import WeightBank
from alphaxenas.spaces import CellSpace
from tests.children.tiny import SMALL, batch_of, child_of, network_of

MIB = 2**20


def resident() -> float:
    gc.collect()
    return psutil.Process().memory_info().rss / MIB


def test_vectors_of_different_lengths_leave_nothing_behind():
    # TensorFlow once kept 70 KiB for each: two or three a child.
    def make(filters):
        child_of(network_of(SMALL, filters=filters, cells=1, reductions=0), WeightBank(0)).state()

    for filters in range(1, 11):
        make(filters)
    sizes = [resident()]
    for start in (11, 111):
        for filters in range(start, start + 100):
            make(filters)
        sizes.append(resident())
    # What the process had freed before may be taken anew once; what a vector leaves behind comes every time.
    assert min(np.diff(sizes)) < 5


def test_a_dropped_child_is_collected_with_its_graphs():
    child = child_of(network_of(SMALL, cells=1, reductions=0))
    child.train_step(*batch_of(), 0.1)
    kept = weakref.ref(child), weakref.ref(child._step.graph)
    del child
    gc.collect()
    assert [reference() for reference in kept] == [None, None]


def test_resident_memory_stays_flat_over_sixty_children():
    space, rng, bank = CellSpace(blocks=1), np.random.default_rng(0), WeightBank(0)
    sizes = []
    for _ in range(60):
        child = child_of(replace(network_of(space.sample(rng)), cells=1, reductions=0), bank)
        child.train_step(*batch_of(), 0.1)
        child.accuracy([batch_of()])
        child.store()
        del child
        sizes.append(resident())
    assert sizes[-1] - sizes[19] < 10


@pytest.mark.slow
def test_a_thousand_children_stay_within_the_target():
    from benchmarks.memory import TARGET_MIB, measure

    result = measure(1000, "small", 0)
    assert result["failed"] == 0 and result["growth_mib"] <= TARGET_MIB
