"""What each part of AlphaXENAS is worth, from recorded results."""

import json

import pytest

from alphaxenas.report.sample_efficiency.ablations import PARTS, ablations, worth
from alphaxenas.report.tables import formatted

SEEDS = range(12)


@pytest.fixture
def recorded(tmp_path):
    """Made-up results: the tree saves queries, proxies and the LSTM lose points, a search on images gains some."""

    def write(name, benchmark, values, **figures):
        text = json.dumps({"name": name, "benchmark": benchmark, "figures": figures, "values": values})
        (tmp_path / f"{name}.json").write_text(text)

    def queries(mean):
        return {"queries": [mean + seed for seed in SEEDS], "found": [seed != 3 for seed in SEEDS]}

    def regrets(centre):
        return {str(seed): [centre + 0.1 * seed, centre - 0.2] for seed in SEEDS}

    write("table", "tables", {"alphaxenas": queries(20), "alphaxenas:planning=rollouts": queries(50)}, cap=900)
    names = "naswot,zen"
    replay = {"alphaxenas": regrets(1.0), f"alphaxenas+{names}": regrets(2.0)}
    write("replay", "image_truth", {**replay, f"alphaxenas:prior=uniform+{names}": regrets(1.5)}, marks=[60, 120])
    report = {"queries": [1] * 12, "found": [True] * 12, "best_20": [0.1] * 12}
    report |= {"report_20": [90.0 + seed for seed in SEEDS], "report_50": [91.0] * 12}
    write("validation", "tables", {"alphaxenas": report, "alphaxenas:climb=false": report}, cap=900)
    one = {"seeds": [4, 5, 6], "ours": [0.9, 0.91, 0.92], "theirs": [0.88, 0.89, 0.9]}
    values = {"random": {}, "alphaxenas:planning=rollouts": {"best final at equal seconds": one}}
    write("search_vs_random_x", "search_vs_random", values, compared="alphaxenas")
    write("speed", "tree_speed", {}, steps=1)
    write("other", "pareto", {"alphaxenas:prior=uniform": queries(3)}, cap=9)
    return tmp_path


def test_searches_without_a_part_are_paired_with_those_that_have_it(recorded):
    found = ablations(recorded)
    told = {place: (row["the part is worth"], row["unit"], row["seeds"]) for place, row in found.iterrows()}
    tree, lstm = PARTS["planning=rollouts"], PARTS["prior=uniform"]
    assert told == {
        (tree, "table"): (pytest.approx(30 * 11 / 12), "queries saved", 12),  # a search that failed counts as the cap
        (tree, "search_vs_random_x"): (pytest.approx(2.0), "points", 3),
        (lstm, "replay, naswot, zen"): (pytest.approx(-0.5), "points, mean over marks", 12),
        (PARTS["climb=false"], "validation"): (0.0, "points, mean over marks", 12),
        ("proxies", "replay, naswot, zen"): (pytest.approx(-1.0), "points, mean over marks", 12),
    }
    verdicts = {place: row["verdict"].split(":")[0] for place, row in found.iterrows()}
    assert verdicts[tree, "table"] == verdicts["proxies", "replay, naswot, zen"] == "shown"
    assert verdicts[tree, "search_vs_random_x"] == "not shown"
    assert found["verdict"].str.contains("5 comparisons").sum() == 4  # three seeds have another reason


def test_what_is_worth_nothing_is_said_first(recorded):
    said = worth(ablations(recorded))
    assert said[-1] == "the tree: shown to help in 1 of 2 results."
    assert f"{PARTS['climb=false']}: **not shown** to be worth anything in 1 results." in said[:-1]
    assert "proxies: shown to **harm** in 1 of 1 results." in said[:-1]


def test_without_results_there_is_an_empty_table_and_a_sentence(tmp_path):
    found = ablations(tmp_path)
    assert len(found) == 0 and formatted(found).to_html() and worth(found) == ["No ablation is recorded."]


def test_the_recorded_results_tell_of_every_part_that_was_taken_away():
    parts = set(ablations().index.get_level_values("without"))
    assert parts >= {PARTS[setting] for setting in ("planning=rollouts", "prior=uniform", "move_rule=puct")}
