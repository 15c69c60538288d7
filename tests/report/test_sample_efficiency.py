"""Sample efficiency from journals alone, against numbers worked out by hand."""

import json

import numpy as np
import pytest

from alphaxenas.report.sample_efficiency import measures as se
from alphaxenas.report.sample_efficiency.journals import load_study, name_of
from alphaxenas.report.sample_efficiency.tables import contrast_table, efficiency_table, final_report_table
from alphaxenas.report.tables import formatted, records
from alphaxenas.runs import StorageError
from tests.report.sample_journals import write_journal


def write_queries(folder, queries, table="t", cap=100):
    """Journals of searches that succeeded with these numbers of queries; None = at the cap without success."""
    for controller, numbers in queries.items():
        for seed, number in enumerate(numbers):
            count = cap if number is None else number
            signals = [0.5] * (count - 1) + [0.5 if number is None else 0.9]
            write_journal(folder, table, controller, seed, signals, ended="cap" if number is None else "found", cap=cap)
    return load_study(folder)


def test_mean_median_interval_and_share_found(tmp_path):
    study = write_queries(tmp_path, {"random": [10, 20, 60, None]})
    (found,) = se.efficiencies(study)
    assert (
        found.queries.mean == (10 + 20 + 60 + 100) / 4
        and found.median == 40
        and found.found == 0.75
        and found.cap == 100
    )
    assert 1 <= found.queries.low < 47.5 < found.queries.high and found.queries.count == 4
    assert found.seconds == pytest.approx(4 * 0.25)
    (number,) = se.as_json(study)
    assert (
        number["mean"] == 47.5
        and number["kind"] == "restricted mean"
        and number["seconds_per_search"] == 0.25
        and number["interval"] == [found.queries.low, found.queries.high]
    )
    assert json.loads(json.dumps(number)) == number


def test_an_exhausted_search_counts_as_the_cap(tmp_path):
    write_journal(tmp_path, "t", "uct", 0, [0.1, 0.2, 0.3], ended="exhausted", cap=50)
    (found,) = se.efficiencies(load_study(tmp_path))
    assert found.queries.mean == 50 and found.found == 0 and found.queries.low is None


def test_failed_searches_are_in_no_number_but_counted(tmp_path):
    write_queries(tmp_path, {"uct": [10, 20]})
    write_journal(tmp_path, "t", "uct", 2, [], ended="failed")
    study = load_study(tmp_path)
    (found,) = se.efficiencies(study)
    assert (found.queries.mean, found.queries.count, found.failed) == (15, 2, 1)
    assert study.failed == [("t", "uct", 2, "on purpose")]


def test_only_the_chosen_searches_are_loaded_in_the_order_asked_for(tmp_path):
    write_queries(tmp_path, {"a": [1, 2, 3], "b": [4, 5, 6], "c:x=1,y=2": [7, 8, 9]})
    study = load_study(tmp_path, ["c:x=1,y=2", "a"], range(2), ["t"])
    assert study.controllers == ["c:x=1,y=2", "a"] and len(study.searches) == 4
    assert load_study(tmp_path, tables=["other"]).searches == {}


def test_best_so_far_and_the_report_of_what_the_signal_selects(tmp_path):
    write_journal(tmp_path, "t", "a", 0, [0.2, 0.6, 0.6, 0.4, 0.9], reports=[0.1, 0.5, 0.8, 0.9, 0.7])
    search = load_study(tmp_path).searches["t", "a", 0]
    np.testing.assert_array_equal(search.best, [0.2, 0.6, 0.6, 0.6, 0.9])
    np.testing.assert_array_equal(search.selected_report, [0.1, 0.5, 0.5, 0.5, 0.7])  # the first among equals stays


def test_regret_is_the_mean_over_seeds_and_stays_where_a_search_ended(tmp_path):
    write_journal(tmp_path, "t", "a", 0, [0.5, 0.9])
    write_journal(tmp_path, "t", "a", 1, [0.3, 0.4, 0.7, 0.9])
    course = se.regret_course(load_study(tmp_path), "t")
    np.testing.assert_array_equal(course.grid, [1, 2, 3, 4])
    np.testing.assert_allclose(course.mean["a"], [(0.4 + 0.6) / 2, (0.0 + 0.5) / 2, (0.0 + 0.2) / 2, 0.0])
    assert np.all(course.low["a"] <= course.mean["a"] + 1e-12) and np.all(course.high["a"] >= course.mean["a"] - 1e-12)


def test_regret_of_the_report_and_against_seconds(tmp_path):
    write_journal(tmp_path, "t", "a", 0, [0.5, 0.9], reports=[0.8, 0.6], costs=[10, 30])
    study = load_study(tmp_path)
    np.testing.assert_allclose(se.regret_course(study, "t", "report").mean["a"], [0.1, 0.3])
    course = se.regret_course(study, "t", cost="seconds")
    assert course.grid[0] == pytest.approx(10) and course.grid[-1] == pytest.approx(40)
    np.testing.assert_allclose(course.mean["a"][[0, -1]], [0.4, 0.0], atol=1e-12)


def test_a_column_that_a_table_lacks_has_no_course(tmp_path):
    write_journal(tmp_path, "t", "a", 0, [0.5, 0.9])
    study = load_study(tmp_path)
    assert se.regret_course(study, "t", "report") is None and se.regret_course(study, "t", cost="seconds") is None
    assert len(final_report_table(study)) == 0
    with pytest.raises(ValueError, match="`cost`"):
        se.regret_course(study, "t", cost="hours")


def test_contrasts_pair_the_seeds_and_put_the_better_one_first(tmp_path):
    queries = {"slow": [50, 61, 72, 83, 94, 99], "fast": [10, 12, 14, 16, 18, 20], "other": [11, 12, 13, 17, 18, 21]}
    found = {(each.first, each.second): each for each in se.contrasts(write_queries(tmp_path, queries))}
    assert set(found) == {("fast", "slow"), ("other", "slow"), ("fast", "other")}
    better = found["fast", "slow"].saved
    assert better.mean == pytest.approx(np.mean(np.subtract(queries["slow"], queries["fast"])))
    assert better.p == pytest.approx(3 * 2 / 2**6) and not better.shown  # six seeds, three comparisons
    assert len(se.contrasts(load_study(tmp_path), against="slow")) == 2


def test_equal_searches_are_no_difference(tmp_path):
    (found,) = se.contrasts(write_queries(tmp_path, {"a": [5, 6, 7], "b": [5, 6, 7]}))
    assert (found.saved.p, found.saved.mean, found.saved.shown) == (1.0, 0.0, False)


def test_the_verdict_says_first_what_is_not_shown(tmp_path):
    guided, slow = [9, 10, 11, 10, 12, 9, 8, 10], [50, 60, 70, None, 40, 55, 52, 61]
    study = write_queries(tmp_path, {"guided": guided, "random": slow, "local": [8, 12, 13, 10, 9, 9, 12, 11]})
    (sentence,) = se.verdict(study, "guided")
    assert (
        "is **not shown** to need fewer queries than local search; shown to need fewer than random search" in sentence
    )
    assert "GuidedSearch (mean 9.9 [" in sentence and "found by 100% of 8 searches" in sentence
    (sentence,) = se.verdict(load_study(tmp_path, ["guided", "random"]), "random")
    assert (
        "(restricted mean 61.0 [" in sentence and "found by 88% of 8 searches" in sentence and "not shown" in sentence
    )
    assert "not shown" in se.verdict(load_study(tmp_path, seeds=[0]), "guided")[0]


def test_many_seeds_need_little_memory(tmp_path):
    import tracemalloc

    study = write_queries(tmp_path, {"a": list(range(1, 98))})
    tracemalloc.start()
    se.efficiencies(study)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 60e6


def test_tables_of_the_notebook(tmp_path):
    study = write_queries(tmp_path, {"guided:plan=rollouts": [10, 20], "random": [50, None]})
    table = efficiency_table(study)
    assert (
        table.loc[("t", "random search"), "restricted mean queries"] == 75
        and table.loc[("t", "random search"), "found %"] == 50
    )
    assert ("t", "GuidedSearch, plan=rollouts") in table.index
    assert "75.0" in formatted(table).to_html()
    compared = contrast_table(se.contrasts(study))
    assert records(compared)[0]["verdict"].startswith("not shown") and "not shown" in formatted(compared).to_html()


def test_text_and_headline(tmp_path):
    study = write_queries(tmp_path, {"local": [10, 20], "random": [50, None]})
    text = se.as_text(study)
    assert "local search" in text and "15.0" in text and "50%" in text
    assert se.headline(study) == "t: local search with 15.0 queries"
    assert se.headline(load_study(tmp_path / "nothing")) == "no search is recorded"


def test_names_say_how_a_variant_differs_from_the_published_method():
    assert name_of("uct") == "UCT (ranked values)" and name_of("uct:values=raw") == "UCT, values=raw"
    assert name_of("unknown:x=1") == "unknown, x=1"


def test_a_damaged_journal_is_named(tmp_path):
    path = write_journal(tmp_path, "t", "a", 0, [0.5, 0.9])
    path.write_text(path.read_text()[:-20])
    with pytest.raises(StorageError, match=r"seed0\.jsonl is damaged"):
        load_study(tmp_path)
