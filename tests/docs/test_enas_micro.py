"""What the benchmark of ENAS's micro space says of its numbers follows the law of all comparisons."""

import numpy as np
import pytest

from alphaxenas.report.statistics import rank_correlation_interval
from benchmarks.enas_micro import correlation, difference


@pytest.mark.parametrize("seeds, verdict", [(5, "not shown: 5 seeds"), (8, "shown: p = 0.008")])
def test_the_derived_cell_is_better_only_where_six_seeds_or_more_show_it(seeds, verdict):
    random = np.linspace(0.6, 0.7, seeds)
    found = difference((random + 0.02).tolist(), random.tolist())
    assert found["derived_minus_random"] == 0.02 and found["verdict"].startswith(verdict)
    assert found["difference_interval"] == pytest.approx([0.02, 0.02])


def test_the_correlation_has_the_interval_of_the_report():
    rng = np.random.default_rng(0)
    shared = rng.random(30)
    single = (shared + rng.random(30)).tolist()
    found, wanted = correlation(shared.tolist(), single), rank_correlation_interval(shared.tolist(), single)
    assert found["interval"] == [round(wanted.low, 3), round(wanted.high, 3)] and found["architectures"] == 30
    assert wanted.low < found["spearman"] < wanted.high
