"""Search against search: equal cost, intervals, and verdicts that are right as often as they say."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import PermutationMethod, spearmanr, wilcoxon
from scipy.stats import t as student

from alphaxenas.report import equal_cost, statistics
from alphaxenas.report.runs import StoredRun


def record(
    purpose="search",
    reward=0.5,
    best=None,
    epochs=1,
    fraction=0.5,
    images=50.0,
    seconds=2.0,
    status="ok",
    key="k",
    cached=False,
):
    metrics = {} if images is None else {"images_per_epoch": images}
    return {
        "purpose": purpose,
        "reward": reward,
        "best": best,
        "epochs": epochs,
        "fraction": fraction,
        "seconds": seconds,
        "status": status,
        "key": key,
        "metrics": metrics | ({"cached": 1.0} if cached else {}),
        "diagnostics": {},
    }


def run(*records, seed=0, **parameters):
    return StoredRun("s", f"random-seed{seed}", {"parameters": parameters}, records, {})


SEARCH = run(
    record(),
    record("final", 0.6, 0.6, epochs=3, fraction=1.0, images=100.0),
    record(best=0.6, cached=True),
    record(status="failed", reward=0.0, best=0.6, images=None),
    record("refresh", best=0.6, epochs=0, images=None),
    record("final", 0.8, 0.8, epochs=3, fraction=1.0, images=100.0),
)


def test_cost_counts_failed_children_but_neither_repetitions_nor_refreshes():
    assert equal_cost.cumulative_cost(SEARCH, "trials").tolist() == [1, 2, 2, 3, 3, 4]
    # The failed child is charged its whole budget: half of 100 images.
    assert equal_cost.cumulative_cost(SEARCH, "images").tolist() == [50, 350, 350, 400, 400, 700]


def test_images_are_those_that_the_evaluator_told_where_the_budget_gives_an_amount_of_work():
    def told(epochs, images):
        return record() | {"metrics": {"images_per_epoch": 50.0, "epochs_trained": epochs, "images": images}}

    known = record(cached=True) | {"metrics": {"cached": 1.0, "images": 800.0}}
    done = run(told(16, 800.0), told(4, 200.0), known)
    assert equal_cost.cumulative_cost(done, "images").tolist() == [800, 1000, 1000]
    failed = run(told(16, 800.0), told(16, 800.0), record(status="failed", reward=0.0, images=None))
    assert equal_cost.cumulative_cost(failed, "images").tolist() == [800, 1600, 2400]


def test_a_child_that_was_refused_for_its_cost_has_cost_no_training():
    refused = run(record(), record(status="refused", reward=0.0), record("final", 0.8, 0.8, 3, 1.0, images=100.0))
    assert equal_cost.cumulative_cost(refused, "trials").tolist() == [1, 1, 2]
    assert equal_cost.cumulative_cost(refused, "images").tolist() == [50, 50, 350]
    assert np.isnan(equal_cost.last_quarter(refused, "search", 2))


def test_seconds_are_those_that_the_search_had_worked():
    """Thinking before the second child is charged before it; journals of older versions tell the end alone."""
    told = tuple(one | {"elapsed": at} for one, at in zip(SEARCH.records, (2, 9, 9, 11, 13, 15)))
    ended = replace(SEARCH, records=told, results={"seconds": 16.0})
    assert equal_cost.cumulative_cost(ended, "seconds").tolist() == [2, 9, 9, 11, 13, 15]
    continued = replace(ended, records=(*SEARCH.records[:3], *told[3:]), results={"seconds": 20.0})
    assert equal_cost.cumulative_cost(continued, "seconds").tolist() == [4, 8, 8, 12, 16, 20]
    workers = replace(SEARCH, results={"seconds": 5.0})
    assert equal_cost.cumulative_cost(workers, "seconds").tolist() == [1, 2, 2, 3, 4, 5]
    assert equal_cost.cumulative_cost(replace(SEARCH, results=None), "seconds").tolist() == [2, 4, 4, 6, 8, 10]


def test_batches_that_proxies_see_count_as_images_where_their_seconds_were_spent():
    metrics = {"parameters": 10.0, "naswot": 1.0, "zen": 2.0}
    records = [
        record() | {"proxy_seconds": 6.0, "metrics": {"images_per_epoch": 50.0} | metrics},
        record(cached=True) | {"proxy_seconds": 0.0},
        record("final", 0.8, 0.8, epochs=3, images=100.0) | {"proxy_seconds": 2.0, "key": "other"},
    ]
    names = ["parameters", "naswot", "zen"]
    summary = {"scored": 40, "seconds": dict.fromkeys(names, 1.0)}
    done = StoredRun("s", "ranked-seed0", {"parameters": {"proxies": names}}, records, {"proxies": summary})
    # 40 architectures, two proxies that need a batch of 64, three quarters of it before the first child.
    assert equal_cost.cumulative_cost(done, "images").tolist() == [50 + 3840, 50 + 3840, 350 + 5120]
    going_on = StoredRun("s", "ranked-seed0", {"parameters": {"proxies": names}}, records, None)
    assert equal_cost.proxy_images(going_on).sum() == 2 * 64  # of one architecture scores are known
    free = {"scored": 40, "seconds": {"parameters": 1.0}}
    assert equal_cost.proxy_images(replace(done, results={"proxies": free})).sum() == 0


def test_unknown_cost_is_refused():
    with pytest.raises(ValueError, match="`cost`.*seconds, images, trials.*'money'"):
        equal_cost.cumulative_cost(SEARCH, "money")


def test_best_so_far_steps_up_where_a_final_was_paid_for():
    best = equal_cost.best_so_far(SEARCH, "trials", np.array([0, 1, 2, 3, 4]))
    np.testing.assert_array_equal(best, [np.nan, np.nan, 0.6, 0.6, 0.8])


def test_curves_end_where_the_cheapest_run_ends():
    short = run(record("final", 0.7, 0.7, epochs=3, fraction=1.0, images=100.0))
    found = equal_cost.curves({"long": [SEARCH], "short": [short]}, "images")
    assert found.grid[-1] == 300 and found.mean["short"][-1] == 0.7
    assert np.isnan(found.mean["long"][-1])  # it had paid 350 for its first final


def test_one_seed_has_no_interval():
    alone = statistics.interval([0.5])
    assert (alone.low, alone.high) == (None, None) and "no interval" in str(alone)
    assert equal_cost.curves({"one": [SEARCH]}, "trials").low == {}
    with pytest.raises(ValueError, match="at least one"):
        statistics.interval([])


def by_seed(values):
    return dict(enumerate(values))


@settings(deadline=None, max_examples=40)
@given(st.lists(st.floats(0, 1), min_size=2, max_size=12))
def test_an_interval_is_students(values):
    found = statistics.interval(values)
    half = student.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values))
    assert (found.mean, found.high) == pytest.approx((np.mean(values), np.mean(values) + half))
    assert found.low <= found.mean + 1e-12 and found.mean <= found.high + 1e-12


@pytest.mark.parametrize("seeds", [3, 5, 12])
def test_the_interval_covers_the_truth_as_often_as_it_says(seeds, rng):
    # The bootstrap of percentiles covers 82 % at five seeds, which lies outside these bounds.
    low, high = statistics.student_bounds(rng.normal(size=(seeds, 4000)))
    assert np.mean((low <= 0) & (high >= 0)) == pytest.approx(0.95, abs=0.015)


REPETITIONS = 20_000
MOST = 0.05 + 2 * (0.05 * 0.95 / REPETITIONS) ** 0.5
"""A rule that is false in 5 % of cases is above this in one simulation of forty."""


def shown_under_the_null(differences):
    """The share of rows, `[repetitions, seeds]`, that the rule calls shown: the interval of all at once, and the exact
    test of those alone whose interval excludes 0."""
    low, high = statistics.student_bounds(differences.T)
    excluding = differences[(low > 0) | (high < 0)]
    pairs = [(by_seed(row), dict.fromkeys(range(len(row)), 0.0)) for row in excluding]
    return sum(statistics.compare(*pair).shown for pair in pairs) / len(differences)


@pytest.mark.parametrize("seeds", [6, 10, 20])
@pytest.mark.parametrize("draw", ["normal", "exponential", "standard_cauchy"])
def test_at_most_one_in_twenty_verdicts_is_false(seeds, draw, rng):
    ours, theirs = getattr(rng, draw)(size=(2, REPETITIONS, seeds))
    share = shown_under_the_null(ours - theirs)
    assert share <= MOST
    assert share > 0.005, "a rule that hardly ever shows anything would pass as well"


def test_only_differences_whose_interval_excludes_zero_can_be_shown(rng):
    """What `shown_under_the_null` leaves out is never shown."""
    values = rng.normal(size=(400, 2, 10))
    every = sum(statistics.compare(by_seed(ours), by_seed(theirs)).shown for ours, theirs in values) / len(values)
    assert shown_under_the_null(values[:, 0] - values[:, 1]) == every > 0


def test_a_real_difference_is_found_with_twenty_seeds(rng):
    values = rng.normal(size=(200, 2, 20)) + np.array([[[1.0], [0.0]]])
    found = [statistics.compare(by_seed(ours), by_seed(theirs)) for ours, theirs in values]
    assert np.mean([each.shown for each in found]) > 0.75
    assert all(each.mean > 0 for each in found if each.shown)


def test_few_verdicts_are_false_among_many_comparisons(rng):
    families, shown = 1000, 0
    for values in rng.normal(size=(families, 10, 12)):
        low, high = statistics.student_bounds(values.T)
        if ((low > 0) | (high < 0)).any():
            pairs = {number: (by_seed(row), dict.fromkeys(range(12), 0.0)) for number, row in enumerate(values)}
            shown += any(each.shown for each in statistics.compare_many(pairs).values())
    assert 0 < shown / families <= 0.05 + 2 * (0.05 * 0.95 / families) ** 0.5


def test_a_clear_difference_over_many_seeds_is_shown_in_the_right_direction():
    ours, theirs = {seed: 0.9 + 0.001 * seed for seed in range(6)}, dict.fromkeys(range(6), 0.8)
    found = statistics.compare(ours, theirs)
    assert found.shown and found.verdict == "shown" and found.low > 0.09 and found.p == pytest.approx(2 / 2**6)
    other = statistics.compare(theirs, ours)
    assert other.shown and other.high < -0.09


@pytest.mark.parametrize("seeds", [1, 2, 3, 4, 5])
def test_few_seeds_never_show_a_difference_however_clear(seeds):
    found = statistics.compare(dict.fromkeys(range(seeds), 0.9), dict.fromkeys(range(seeds), 0.1))
    assert found.verdict == "not shown" and ("no interval" in found.reason or "fewer than 6" in found.reason)


def test_an_interval_around_zero_shows_nothing():
    found = statistics.compare(by_seed(0.8 + 0.1 * (-1) ** seed for seed in range(8)), dict.fromkeys(range(8), 0.8))
    assert not found.shown and "contains 0" in found.reason


def test_equal_searches_have_no_winner():
    found = statistics.compare(dict.fromkeys(range(6), 0.8), dict.fromkeys(range(6), 0.8))
    assert (found.p, found.mean, found.shown) == (1.0, 0.0, False)


def test_only_seeds_that_both_have_are_paired():
    ours, theirs = {0: 0.5, 1: 0.9, 2: float("nan")}, {1: 0.8, 2: 0.8, 3: 0.1}
    found = statistics.compare(ours, theirs)
    assert (found.seeds, found.n) == ((1,), 1)
    with pytest.raises(ValueError, match="seed that both searches have"):
        statistics.compare({0: 0.5}, {1: 0.5})
    assert list(statistics.compare_many({"some": (ours, theirs), "none": ({0: 0.5}, {1: 0.5})})) == ["some"]


def test_the_signed_rank_test_equals_scipys_and_stays_exact_with_ties_and_zeros(rng):
    differences = rng.normal(0.3, size=12)
    assert statistics.signed_rank_p(differences) == pytest.approx(wilcoxon(differences, method="exact").pvalue)
    tied = np.array([2, 2, -1, 3, 3, 3, -2, 1, 4, 4], float)
    exact = wilcoxon(tied, method=PermutationMethod(n_resamples=np.inf)).pvalue
    assert statistics.signed_rank_p(tied) == pytest.approx(exact)
    assert statistics.signed_rank_p(np.append(tied, [0.0, 1e-12])) == pytest.approx(exact)
    assert statistics.signed_rank_p(np.full(40, 0.1)) == pytest.approx(2 / 2**40)


def test_many_comparisons_need_stronger_evidence():
    ours, theirs = {seed: 0.9 + 0.001 * seed for seed in range(7)}, dict.fromkeys(range(7), 0.8)
    family = {number: (ours, theirs) for number in range(4)}
    assert statistics.compare(ours, theirs).shown
    found = statistics.compare_many(family)[0]
    assert not found.shown and found.p == pytest.approx(4 * 2 / 2**7) and "correction for 4" in found.reason


@pytest.mark.parametrize("family", [1, 2, 5])
def test_no_comparison_can_be_shown_with_fewer_seeds_than_are_needed(family):
    def shown(seeds):
        pair = {seed: 0.9 + 0.001 * seed for seed in range(seeds)}, dict.fromkeys(range(seeds), 0.8)
        return any(each.shown for each in statistics.compare_many(dict.fromkeys(range(family), pair)).values())

    needed = statistics.seeds_needed(family)
    assert shown(needed) and not shown(needed - 1)


def test_a_rank_correlation_has_an_interval_that_covers_the_truth(rng):
    # Of normal pairs of correlation 0.5 Spearman's is 6 / pi * asin(0.25).
    truth, covered = 6 / np.pi * np.arcsin(0.25), 0
    for _ in range(40):
        first = rng.normal(size=40)
        found = statistics.rank_correlation_interval(first, 0.5 * first + np.sqrt(0.75) * rng.normal(size=40))
        covered += found.low <= truth <= found.high
        assert -1 <= found.low < found.mean < found.high <= 1
    assert covered >= 34


def test_a_rank_correlation_is_spearmans_and_of_few_has_no_interval(rng):
    first, second = rng.integers(0, 6, size=(2, 12)).tolist()
    found = statistics.rank_correlation_interval(first, second)
    assert found.mean == pytest.approx(spearmanr(first, second).statistic) and found.count == 12
    assert found == statistics.rank_correlation_interval(first, second)
    assert statistics.rank_correlation_interval([1, 2, 3, 4], [1, 2, 3, 4]).low is None
    assert statistics.rank_correlation_interval([1] * 9, range(9)).low is None
    same = statistics.rank_correlation_interval(range(9), range(9))
    assert same.mean == pytest.approx(1.0) and same.low is None
    with pytest.raises(ValueError, match="12 ratings"):
        statistics.rank_correlation_interval(first, second[1:])


def test_holm_equals_a_worked_example():
    # Steps: 4 * 0.005, 3 * 0.01, 2 * 0.03, 1 * 0.04; the last may not be below the one before.
    assert statistics.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert statistics.holm([0.9, 0.8]) == [1.0, 1.0] and statistics.holm([]) == []


def test_a_lifted_search_is_found_better_on_real_journals(suites):
    groups = suites[6].groups()
    measured = equal_cost.measures(groups, "AlphaXENAS", "random search")
    assert list(measured) == [
        "best final at equal seconds",
        "best final at equal images trained",
        "best final at equal trials",
        "mean final reward, last quarter of trials",
    ]
    # Both draw the same architectures here, and one is lifted by 0.05.
    for measure in (
        "best final at equal seconds",
        "best final at equal trials",
        "mean final reward, last quarter of trials",
    ):
        found = statistics.compare(*measured[measure])
        assert found.mean == pytest.approx(0.05) and found.shown
    assert equal_cost.measures(groups, "AlphaXENAS", "nobody") == {}
    each = equal_cost.compare_each(groups)["AlphaXENAS", "random search"]
    assert list(each) == list(measured)
    assert [comparison.family for comparison in each.values()] == [1, 3, 3, 3]
    assert [comparison.shown for comparison in each.values()] == [True, False, False, False], "six seeds, three more"


@pytest.mark.parametrize(
    "parameters, told",
    [
        ({}, True),
        ({"final_weights": "shared"}, True),
        ({"final_weights": "scratch"}, False),
        ({"final_weights": "scratch", "space": "chain"}, True),
    ],
)
def test_ratings_with_shared_weights_are_not_compared_where_finals_are_from_scratch(parameters, told):
    records = [*[record()] * 6, record("final", 0.9, 0.9), record(best=0.9)]
    groups = {name: [run(*records, **({"space": "cell"} | parameters))] for name in "ab"}
    assert any("mean search" in measure for measure in equal_cost.measures(groups, "a", "b")) == told


def test_differences_that_are_rounding_alone_show_nothing():
    ours = by_seed(0.1 + 0.2 for _ in range(10))
    found = statistics.compare(ours, dict.fromkeys(range(10), 0.3))
    assert found.mean != 0 and (found.p, found.shown) == (1.0, False)


def test_the_last_quarter_averages_one_purpose_at_a_time():
    records = [record(reward=0.1)] * 6 + [record(reward=0.4), record("final", 0.9, 0.9)]
    assert equal_cost.last_quarter(run(*records), "search", 8) == pytest.approx(0.4)
    assert equal_cost.last_quarter(run(*records), "final", 8) == pytest.approx(0.9)
    assert np.isnan(equal_cost.last_quarter(run(*records), "final", 6))


def test_correlation_of_budgets_pairs_by_architecture_and_wants_five():
    def rated(count, sign):
        return run(
            *(
                record(purpose, 0.5 + sign ** (purpose == "final") * 0.01 * number, key=str(number))
                for number in range(count)
                for purpose in ("search", "final")
            )
        )

    assert equal_cost.fidelity_correlation(rated(6, 1)) == (pytest.approx(1.0), 6)
    assert equal_cost.fidelity_correlation(rated(6, -1)) == (pytest.approx(-1.0), 6)
    assert np.isnan(equal_cost.fidelity_correlation(rated(4, 1))[0])
