"""Our proxies beside the values that NAS-Bench-Suite-Zero published for cells of NAS-Bench-201, where its table is."""

from __future__ import annotations

import csv
import gzip

import numpy as np
import pytest

from alphaxenas.networks.nasbench.nasbench201 import NASBench201Network
from alphaxenas.networks.training.initial import NetworkWithBatch
from alphaxenas.proxies import PROXIES
from alphaxenas.seeds import stream
from alphaxenas.spaces import NASBench201
from benchmarks.proxies import CELLS, PUBLISHED, VALUES, explained
from tests.data.real import real_table


def published(count):
    """Rows of random cells."""
    with gzip.open(real_table("nasbench201_proxies.csv.gz"), "rt", newline="") as file:
        rows = list(csv.DictReader(file))
    return [rows[place] for place in stream(0, "published proxies").permutation(len(rows))[:count]]


def network(code, cells, batch=None):
    return NetworkWithBatch(NASBench201Network(NASBench201().parse(code), 10, 16, cells), (32, 32, 3), batch)


def test_parameters_are_those_that_were_published():
    rows = published(40)
    ours = [PROXIES["parameters"](network(row["op_code"], 15)) / 1e6 for row in rows]
    assert ours == pytest.approx([float(row["params"]) for row in rows], rel=5e-6)
    assert len(set(ours)) > 10


@pytest.mark.slow
def test_scores_rank_cells_as_the_published_ones_do():
    """On noise instead of images and with a third of the cells, so that it takes a minute or two."""
    import tensorflow as tf
    from scipy.stats import kendalltau

    images = stream(0, "images").standard_normal((16, 32, 32, 3)).astype(np.float32)
    fixed = tf.constant(images), tf.constant(np.arange(16) % 10, tf.int32)
    rows = published(40)
    for name, least in (("synflow", 0.8), ("naswot", 0.7), ("snip", 0.7), ("grad_norm", 0.7)):
        ours = [PROXIES[name](network(row["op_code"], 6, lambda: fixed)) for row in rows]
        assert kendalltau(ours, [float(row[PUBLISHED[name]]) for row in rows]).statistic >= least, name


def test_why_counts_and_zen_scores_differ_is_found_from_the_layers_of_cells():
    codes = ["000000", "222200", "333444", "123401", "330012", "444444"]
    convolutions = np.array([sum(map(code.count, "23")) for code in codes])
    ours = np.zeros((len(codes), len(PROXIES)))
    ours[:, list(PROXIES).index("multiply_adds")] = counts = 100.0 * convolutions
    ours[:, list(PROXIES).index("zen")] = zen = np.arange(6.0) + 2.0 * CELLS * convolutions
    flops = [int(n + 7 + VALUES * (3 * k + 9 * code.count("4"))) for n, k, code in zip(counts, convolutions, codes)]
    published = [
        {"op_code": code, "zen": str(value - 0.75 * CELLS * k)} for code, value, k in zip(codes, zen, convolutions)
    ]
    found = explained(ours, published, flops, np.arange(6.0))
    assert found == {"offsets": 1, "zen_step": 0.75, "zen_agreement": 1.0, "zen_tau": found["zen_tau"]}
    assert explained(ours, published, [*flops[:-1], 3], np.arange(6.0))["offsets"] == 2
