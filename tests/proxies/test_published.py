"""Our proxies beside the values that NAS-Bench-Suite-Zero published for cells of NAS-Bench-201, where its table is."""

from __future__ import annotations

import csv
import gzip
import json
import math

import numpy as np
import pytest

from alphaxenas.config import PROJECT_ROOT
from alphaxenas.networks.nasbench.nasbench201 import NASBench201Network
from alphaxenas.networks.outline import Outline, Shaped
from alphaxenas.networks.training.initial import NetworkWithBatch
from alphaxenas.proxies import PROXIES
from alphaxenas.seeds import stream
from alphaxenas.spaces import NASBench201
from benchmarks.proxies import ACCURACY, CELLS, NEAR, PUBLISHED, SUMS, VALUES, compared, explained
from benchmarks.proxies import rows as rows_of
from tests.data.real import real_table

FAR = {
    "multiply_adds": "published counts add pools and normalisations, which are no multiply-adds",
    "zen": "published scores use running variances of few batches, ours those of the batch, as in the paper",
}
"""Proxies whose correlation with accuracy is not the published one, and why."""


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


def recorded():
    """What `benchmarks.proxies` found on 200 random cells."""
    return json.loads((PROJECT_ROOT / "benchmarks/results/proxies.json").read_text(encoding="utf-8"))


def test_proxies_tell_as_much_of_accuracy_as_the_published_values_on_two_hundred_cells():
    figures = recorded()["figures"]
    found = {name: each for name, each in figures["methods"].items() if "published" in each}
    assert found.keys() == {*PUBLISHED, next(iter(SUMS))} and len(PUBLISHED) == 10 and figures["cells"] == 200
    for name, each in found.items():
        assert (abs(each["tau"] - each["published"]) <= NEAR) == (name not in FAR), name
    # Both differences are what they are said to be, see `explained`.
    assert figures["explained"]["offsets"] == 1
    assert figures["explained"]["zen_tau"] == pytest.approx(found["zen"]["published"], abs=NEAR)
    assert figures["explained"]["zen_agreement"] > 0.95


def test_recorded_correlations_follow_from_the_recorded_scores_and_the_tables():
    result, table = recorded(), rows_of(real_table("nasbench201_proxies.csv.gz"))
    accuracies, codes = rows_of(real_table("nasbench201_cifar.csv.gz")), result["values"]["cells"]
    ours = np.array([result["values"][name] for name in PROXIES], np.float64).T
    truth = np.array([float(accuracies[code][ACCURACY]) for code in codes])
    assert compared(ours, {code: table[code] for code in codes}, truth) == result["figures"]["methods"]


@pytest.mark.parametrize("name", [name for name, proxy in PROXIES.items() if proxy.cost == "free"])
def test_recorded_counts_are_those_of_today(name):
    values = recorded()["values"]
    for code, value in list(zip(values["cells"], values[name]))[:20]:
        assert PROXIES[name](network(code, CELLS)) == value, code


class Counted(Outline):
    """Counts as NAS-Bench-201 did: also 9 for every value of a 3x3 average pool, 2 for a normalised and 1 for a
    rectified value.
    """

    extra = 0

    def average_pool(self, x, size, stride=1, whole=False):
        y = super().average_pool(x, size, stride, whole)
        self.extra += size**2 * math.prod(y.shape[1:])
        return y

    def batch_norm(self, x, *arguments):
        self.extra += 2 * math.prod(x.shape[1:])
        return super().batch_norm(x, *arguments)

    def relu(self, x):
        self.extra += math.prod(x.shape[1:])
        return super().relu(x)


def test_published_multiply_adds_are_ours_with_pools_normalisations_and_rectifiers():
    offsets = set()
    for row in list(rows_of(real_table("nasbench201_cifar.csv.gz")).values())[::300]:
        counted = Counted(training=False)
        NASBench201Network(NASBench201().parse(row["op_code"]), 10, 16, CELLS)(counted, Shaped((None, 32, 32, 3)))
        offsets.add(int(row["flops_cifar"]) - counted.multiply_adds - counted.extra)
    assert offsets == {5184}  # of the head: the same for every cell


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
