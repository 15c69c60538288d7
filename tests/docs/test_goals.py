"""The table of numbers to reach: from results alone, by the rule that the whole page follows."""

import numpy as np
import pytest

from benchmarks import record, results
from benchmarks.claims.goals import GOALS, goals
from benchmarks.search_vs_random import CONTROLS


def row(text, start):
    """The cells of the only row that begins like this."""
    (line,) = [line for line in text.splitlines() if line.startswith(f"| {start}")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def table_result(**queries):
    return {
        "figures": {"cap": 500},
        "values": {method: {"queries": found, "found": [True] * len(found)} for method, found in queries.items()},
    }


def test_what_is_not_measured_stands_there_as_such():
    text = goals({"ecnas_5v": table_result(guided=[100.0, 120.0])})
    lines = text.splitlines()[2:]
    assert len(lines) == len(GOALS) and sum("| not measured |" in line for line in lines) == len(GOALS) - 1
    assert row(text, "EC-NAS")[2].startswith("110 [") and row(text, "EC-NAS")[-1] == "ecnas_5v"
    assert "| not measured |" in goals({"nasbench201_cifar10": table_result(random=[9.0, 9.0])})


@pytest.mark.parametrize(
    "seeds, centre, wanted",
    [(12, 100, "**yes**, shown"), (5, 100, "**yes**, not shown"), (12, 149, "**yes**, not shown"), (12, 160, "no")],
)
def test_a_number_is_shown_to_be_reached_only_where_the_law_says_so(seeds, centre, wanted):
    spread = np.linspace(-20, 20, seeds)
    text = goals({"ecnas_5v": table_result(guided=(centre + spread).tolist(), random=[400.0] * seeds)})
    cells = row(text, "EC-NAS")
    assert cells[4] == wanted and cells[3] == str(seeds) and cells[5] == "random search 400"


def test_regret_is_compared_with_half_of_every_control():
    def regrets(centre):
        return {str(seed): [9.0, centre + 0.001 * seed] for seed in range(10)}

    values = {"random": regrets(1.0), "static:depth": regrets(0.9), "alphaxenas": regrets(0.4)}
    text = goals({"image_truth_replay": {"figures": {}, "values": values}})
    assert row(text, "pool of trained cells")[4] == "**yes**, shown; below half of 2 of 2 controls"
    values["ranked+naswot"] = regrets(0.7)
    text = goals({"image_truth_replay": {"figures": {}, "values": values}})
    assert row(text, "pool of trained cells")[4] == "no; below half of 2 of 3 controls"


def test_searches_on_images_are_asked_at_equal_seconds():
    def measured(gain):
        one = {"seeds": list(range(8)), "ours": [0.9 + gain + 1e-4 * (s - 3.5) for s in range(8)], "theirs": [0.9] * 8}
        worse = {**one, "ours": [0.5] * 8}
        return {"best final at equal seconds": one, "best final at equal trials": worse}

    for gain, wanted in ((0.02, "**yes**, shown"), (0.005, "no")):
        values = {control: measured(gain) for control in CONTROLS}
        text = goals({"search_vs_random_cifar10_cells_cpu": {"figures": {}, "values": values}})
        cells = row(text, "CIFAR-10, cells")
        assert cells[4] == wanted and cells[2].startswith(f"{100 * gain:+.2f} [") and cells[3] == "8"
        assert cells[5].count("minus") == 3 and "AlphaXENAS without a search" in cells[5]


def test_three_real_searches_reach_a_number_but_show_nothing():
    runs = {str(seed): {"published": 94.1 + 0.01 * seed, "tau": 0.7} for seed in range(3)}
    methods = {"alphaxenas": runs, "random": {"0": {"published": 93.0, "tau": None}}}
    text = goals({"image_truth_real": {"figures": {"methods": methods}, "values": {}}})
    published, tau = row(text, "NAS-Bench-201 searched"), row(text, "Kendall")
    assert published[3:6] == ["3", "**yes**, not shown", "random search 93.00"]
    assert tau[3:6] == ["3", "no", ""]


def test_what_nothing_is_recorded_of_is_listed_with_its_command_and_no_verdict():
    text = results.page({}).split("## Not measured with today's code")[1].split("\n## ")[0]
    assert all(f"- `python -m benchmarks.{benchmark}`: " in text for benchmark in record.CODE)
    assert "shown" not in text and "confirmed" not in text
    some = {"name": "tree_speed", "benchmark": "tree_speed", "command": "x", "date": "today", "revision": "abc"}
    some |= {"machine": {"processor": "p", "cores": 2}, "versions": {}, "code": {}}
    some |= {"figures": {"simulations_per_second": 1000}}
    assert "benchmarks.tree_speed`:" not in results.page({"tree_speed": some})
