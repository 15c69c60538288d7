"""Children that come and go leave no memory behind."""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from alphaxenas.networks.bank import WeightBank
from alphaxenas.spaces import CellSpace
from tests.networks.tiny import SMALL, batch_of, child_of, network_of

MIB = 2**20
ROOT = Path(__file__).resolve().parents[2]


def resident() -> float:
    gc.collect()
    return psutil.Process().memory_info().rss / MIB


def make_children(first: int, count: int) -> None:
    """Children whose vectors of weights all differ in length."""
    for filters in range(first, first + count):
        child_of(network_of(SMALL, filters=filters, cells=1, reductions=0), WeightBank(0)).state()


def test_vectors_of_different_lengths_leave_nothing_behind():
    # TensorFlow once kept 70 KiB for each: two or three a child. A process that has done other work cannot tell: it
    # takes anew what it freed.
    code = (
        "from tests.networks.test_memory import *; make_children(1, 20); start = resident(); "
        "make_children(21, 100); print(resident() - start)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert float(done.stdout) < 5


def test_a_dropped_child_is_collected_with_its_graphs():
    child = child_of(network_of(SMALL, cells=1, reductions=0))
    child.train_step(*batch_of(), 0.1)
    kept = weakref.ref(child), weakref.ref(child._step.graph)
    del child
    gc.collect()
    assert [reference() for reference in kept] == [None, None]


def test_resident_memory_stays_flat_over_forty_children():
    space, rng, bank = CellSpace(blocks=1), np.random.default_rng(0), WeightBank(0)
    sizes = []
    for number in range(40):
        child = child_of(replace(network_of(space.sample(rng)), cells=1, reductions=0), bank)
        child.train_step(*batch_of(), 0.1)
        child.accuracy([batch_of()])
        child.store()
        del child
        if number in (14, 39):
            sizes.append(resident())
    assert sizes[1] - sizes[0] < 10


@pytest.mark.slow
def test_a_thousand_children_stay_within_the_target():
    from benchmarks.memory import TARGET_MIB, measure

    result = measure(1000, "small", 0)
    assert result["failed"] == 0 and result["growth_mib"] <= TARGET_MIB
