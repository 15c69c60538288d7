"""AlphaXENAS against its controls on images: what is recorded, continued and said on the page of results."""

import json

import numpy as np
import pytest

from alphaxenas.config import PROJECT_ROOT
from alphaxenas.contracts import Outcome
from alphaxenas.runs import ResumableLoop
from benchmarks import record, search_vs_random
from benchmarks.claims import CLAIMS
from benchmarks.claims.searches import searches

DECISIVE, OTHER = "best final at equal seconds", "best final at equal trials"


def values(seeds, gains):
    """A result in which the first controller is better by `gains` points than each control, with some noise."""
    noise = np.random.default_rng(0).normal(0, 0.001, seeds)
    return {
        control: {
            measure: {"seeds": list(range(seeds)), "ours": (0.9 + gain / 100 + noise).tolist(), "theirs": [0.9] * seeds}
            for measure in (DECISIVE, OTHER)
        }
        for control, gain in gains.items()
    }


@pytest.mark.parametrize("seeds, better", [(5, 0), (8, 2)])
def test_the_page_derives_its_verdicts_from_the_seeds(seeds, better):
    found = values(seeds, {"random": 1.0, "alphaxenas:uniform_share=1": -1.0})
    assert len(search_vs_random.comparisons(found)) == 4
    figures = {"compared": "alphaxenas", "revisions": ["a" * 40, "b" * 40]}
    text = searches({"search_vs_random_quick": {"figures": figures, "values": found}})
    assert text.endswith(f"several revisions of the code: {'a' * 10}, {'b' * 10}.")
    rows = [line for line in text.splitlines() if f"| {DECISIVE} |" in line]
    assert sum("is better" in row for row in rows) == better and len(rows) == 2
    assert "| random search |" in rows[0] and "| AlphaXENAS without a search |" in rows[1]
    if better:
        assert "**AlphaXENAS** is better" in rows[0] and "**AlphaXENAS without a search** is better" in rows[1]


def test_what_decides_is_corrected_for_the_controls_alone():
    found = search_vs_random.comparisons(values(8, {"random": 1.0, "static": 1.0, "ranked": 1.0}))
    assert [one.family for one in found.values()] == [3] * 3 + [3] * 3
    assert [measure for _, measure in found] == [DECISIVE] * 3 + [OTHER] * 3
    more = values(8, {"random": 1.0})
    more["random"]["third"] = more["random"][OTHER]
    assert {m: one.family for (_, m), one in search_vs_random.comparisons(more).items()} == {
        DECISIVE: 1,
        OTHER: 2,
        "third": 2,
    }


def test_a_result_has_its_section():
    for profile in ("quick", "cifar10_cells_cpu"):
        assert any(f"search_vs_random_{profile}" in claim.results for claim in CLAIMS)


class Sums:
    """Rates an architecture by its tokens, and counts."""

    def __init__(self, count) -> None:
        self._count = count

    def evaluate(self, proposal):
        self._count.append(proposal.tokens)
        return Outcome(proposal, sum(proposal.tokens) / 1000 + 0.01 * proposal.budget.epochs, seconds=1.0)

    def state(self):
        return {}

    def restore(self, state):
        pass


def test_it_compares_with_controls_goes_on_another_day_and_records_every_seed(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(record, "RESULTS", tmp_path / "results")
    monkeypatch.setattr("alphaxenas.networks.devices.prepare_tensorflow", lambda *_: [])  # other tests have prepared it
    monkeypatch.setattr(ResumableLoop, "elapsed", lambda loop: float(len(loop.records)))  # a second for every child
    rated, again = [], []
    monkeypatch.setattr("alphaxenas.pipelines.search.make_evaluator", lambda *_, **__: Sums(rated))
    monkeypatch.setattr("alphaxenas.pipelines.factory.make_evaluator", lambda *_, **__: Sums(again))
    folders = ["-p", "exp_dir", str(tmp_path / "exp"), "-p", "tensorboard_dir", str(tmp_path / "events")]
    searched = ["search_vs_random", "--profile", "smoke", "--run", "x", "--record", *folders, "-p", "trials", "8"]
    searched += ["-p", "search_children", "2", "--scratch-epochs", "5"]
    profile = tmp_path / "smoke.yaml"
    profile.write_text((PROJECT_ROOT / "notebooks/profiles/smoke.yaml").read_text() + "final_weights: shared\n")
    searched[2] = str(profile)

    def measured(seeds):
        monkeypatch.setattr("sys.argv", [*searched, "--seeds", str(seeds)])
        search_vs_random.main()
        return json.loads((tmp_path / "results" / "search_vs_random_smoke.json").read_text())

    first = measured(1)
    assert list(first["values"]) == ["random", "static", "alphaxenas:uniform_share=1"]
    assert first["values"]["random"][DECISIVE]["seeds"] == [0] and first["figures"]["seeds"] == 1
    assert all(row["verdict"].startswith("not shown") for row in first["figures"]["measures"])
    before = {path: path.read_bytes() for path in (tmp_path / "exp").rglob("*-seed*/trials.jsonl")}
    assert len(before) == 4 and len(first["figures"]["revisions"]) == 1
    stored = [json.loads(path.with_name("run.json").read_text())["parameters"] for path in before]
    assert {one["final_weights"] for one in stored} == {"scratch"}
    second = measured(2)
    assert second["values"]["random"][DECISIVE]["seeds"] == [0, 1]
    assert {path: path.read_bytes() for path in before} == before
    assert len(rated) == 8 * 8 and len(again) == 8, "four searches of eight children and their choices, two seeds each"
    scratch = second["values"]["static"]["choice, trained from scratch for 5 epochs"]
    assert len(scratch["ours"]) == 2 and min(scratch["ours"]) > 0.05
    assert "interval" in capsys.readouterr().out
