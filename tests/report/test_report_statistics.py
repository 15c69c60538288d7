"""Search against search: equal cost, intervals that are there only when they mean something."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alphaxenas.report import statistics
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


def run(*records, seed=0, seconds=0.0, **parameters):
    return StoredRun("s", f"random-seed{seed}", {"parameters": parameters}, records, {"seconds": seconds})


SEARCH = run(
    record(),
    record("final", 0.6, 0.6, epochs=3, fraction=1.0, images=100.0),
    record(best=0.6, cached=True),
    record(status="failed", reward=0.0, best=0.6, images=None),
    record("refresh", best=0.6, epochs=0, images=None),
    record("final", 0.8, 0.8, epochs=3, fraction=1.0, images=100.0),
    seconds=20.0,
)


def test_cost_counts_failed_children_but_neither_repetitions_nor_refreshes():
    assert statistics.cumulative_cost(SEARCH, "trials").tolist() == [1, 2, 2, 3, 3, 4]
    # The failed child is charged its whole budget: half of 100 images.
    assert statistics.cumulative_cost(SEARCH, "images").tolist() == [50, 350, 350, 400, 400, 700]


def test_seconds_end_at_the_wall_time_of_the_run():
    assert statistics.cumulative_cost(SEARCH, "seconds").tolist() == [4, 8, 8, 12, 16, 20]


def test_unknown_cost_is_refused():
    with pytest.raises(ValueError, match="`cost`.*trials, images, seconds.*'money'"):
        statistics.cumulative_cost(SEARCH, "money")


def test_best_so_far_steps_up_where_a_final_was_paid_for():
    best = statistics.best_so_far(SEARCH, "trials", np.array([0, 1, 2, 3, 4]))
    np.testing.assert_array_equal(best, [np.nan, np.nan, 0.6, 0.6, 0.8])


def test_curves_end_where_the_cheapest_run_ends():
    short = run(record("final", 0.7, 0.7, epochs=3, fraction=1.0, images=100.0))
    found = statistics.curves({"long": [SEARCH], "short": [short]}, "images")
    assert found.grid[-1] == 300 and found.mean["short"][-1] == 0.7
    assert np.isnan(found.mean["long"][-1])  # it had paid 350 for its first final


def test_one_seed_has_no_interval():
    alone = statistics.interval([0.5])
    assert (alone.low, alone.high) == (None, None) and "no interval" in str(alone)
    assert statistics.curves({"one": [SEARCH]}, "trials").low == {}
    with pytest.raises(ValueError, match="at least one"):
        statistics.interval([])


@settings(deadline=None, max_examples=40)
@given(st.lists(st.floats(0, 1), min_size=2, max_size=12))
def test_an_interval_holds_its_mean_and_stays_within_the_values(values):
    found = statistics.interval(values)
    assert (
        min(values) - 1e-9 <= found.low <= found.mean + 1e-9 and found.mean - 1e-9 <= found.high <= max(values) + 1e-9
    )


def test_the_interval_covers_the_truth_about_as_often_as_it_says(rng):
    # Percentile bootstrap with 12 seeds: a little below 95 %.
    covered = [found.low <= 0 <= found.high for found in (statistics.interval(rng.normal(size=12)) for _ in range(60))]
    assert 0.8 <= np.mean(covered) <= 1.0


def test_a_clear_difference_over_many_seeds_is_shown_in_the_right_direction():
    ours, theirs = {seed: 0.9 + 0.001 * seed for seed in range(6)}, dict.fromkeys(range(6), 0.8)
    found = statistics.paired("best", ours, theirs, ("A", "B"))
    assert (
        found.interval.low > 0.09
        and found.p_value == pytest.approx(2 / 2**6)
        and found.verdict.startswith("A is better")
    )
    assert statistics.paired("best", theirs, ours, ("A", "B")).verdict.startswith("B is better")


@pytest.mark.parametrize("seeds", [1, 2, 3, 4])
def test_few_seeds_never_show_a_difference_however_clear(seeds):
    found = statistics.paired("best", dict.fromkeys(range(seeds), 0.9), dict.fromkeys(range(seeds), 0.1), ("A", "B"))
    assert "better" not in found.verdict and ("no interval" in found.verdict or "too few" in found.verdict)


def test_an_interval_around_zero_shows_nothing():
    found = statistics.paired(
        "best", {seed: 0.8 + (-1) ** seed * 0.1 for seed in range(8)}, dict.fromkeys(range(8), 0.8)
    )
    assert "no difference is shown" in found.verdict


def test_equal_searches_have_no_test_and_no_winner():
    found = statistics.paired("best", dict.fromkeys(range(6), 0.8), dict.fromkeys(range(6), 0.8))
    assert found.p_value is None and "no difference is shown" in found.verdict


def test_only_seeds_that_both_have_are_paired():
    assert statistics.paired("best", {0: 0.5, 1: 0.9, 2: float("nan")}, {1: 0.8, 2: 0.8, 3: 0.1}).seeds == (1,)
    assert statistics.paired("best", {0: 0.5}, {1: 0.5}) is None


def test_a_lifted_search_is_found_better_on_real_journals(suites):
    found = {each.measure: each for each in statistics.compare(suites[6].groups(), "AlphaXENAS", "random search")}
    assert set(found) == {
        "best final at equal trials",
        "best final at equal images trained",
        "best final at equal seconds",
        "mean final reward, last quarter of trials",
    }
    # Both play the same games here, and one is lifted by 0.05.
    for measure in ("best final at equal trials", "mean final reward, last quarter of trials"):
        assert found[measure].interval.mean == pytest.approx(0.05) and "AlphaXENAS is better" in found[measure].verdict
    assert statistics.compare(suites[6].groups(), "AlphaXENAS", "nobody") == []


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
    assert any("mean search" in each.measure for each in statistics.compare(groups, "a", "b")) == told


def test_an_interval_that_ends_at_zero_shows_nothing():
    # Ten differences in steps of 1/359, as of validation accuracies on digits; the lower bound comes out as 1e-17.
    steps = [4, 2, 3, 0, 3, -5, 3, -1, 7, 5]
    found = statistics.paired(
        "best", {seed: 0.9 + step / 359 for seed, step in enumerate(steps)}, dict.fromkeys(range(10), 0.9), ("A", "B")
    )
    assert abs(found.interval.low) < 1e-9 < found.interval.mean and "no difference is shown" in found.verdict


def test_the_last_quarter_averages_one_purpose_at_a_time():
    records = [record(reward=0.1)] * 6 + [record(reward=0.4), record("final", 0.9, 0.9)]
    assert statistics.last_quarter(run(*records), "search", 8) == pytest.approx(0.4)
    assert statistics.last_quarter(run(*records), "final", 8) == pytest.approx(0.9)
    assert np.isnan(statistics.last_quarter(run(*records), "final", 6))


def test_correlation_of_budgets_pairs_by_architecture_and_wants_five():
    def rated(count, sign):
        return run(
            *(
                record(purpose, 0.5 + sign ** (purpose == "final") * 0.01 * number, key=str(number))
                for number in range(count)
                for purpose in ("search", "final")
            )
        )

    assert statistics.fidelity_correlation(rated(6, 1)) == (pytest.approx(1.0), 6)
    assert statistics.fidelity_correlation(rated(6, -1)) == (pytest.approx(-1.0), 6)
    assert np.isnan(statistics.fidelity_correlation(rated(4, 1))[0])
