"""Finding and loading stored runs."""

import shutil
from dataclasses import replace

import pytest

from alphaxenas.report import choose_suite, load_suite
from alphaxenas.report.equal_cost import differing_parameters
from alphaxenas.report.runs import NO_SEARCH, best_records, load_groups, load_others


def test_searches_are_grouped_by_controller_with_seeds_in_order(shelf):
    for seed in (10, 2):
        shelf.search("s", "random", seed, trials=4)
        shelf.search("s", "alphaxenas", seed, trials=4)
    groups = load_suite("s", shelf.exp_dir).groups()
    assert {label: [run.seed for run in runs] for label, runs in groups.items()} == {
        "AlphaXENAS": [2, 10],
        "random search": [2, 10],
    }


def test_the_suite_asked_for_is_shown_when_it_is_stored(shelf):
    shelf.search("mine", "random", 0, trials=4)
    shelf.search("reference-quick", "random", 0, trials=4)
    assert choose_suite("mine", shelf.exp_dir)[0] == "mine"


@pytest.mark.parametrize(
    "asked, shown",
    [("quick", "reference-quick"), ("mine", "reference-quick"), ("cifar10-cpu", "reference-cifar10-cpu")],
)
def test_a_fresh_clone_shows_the_reference_of_the_run_else_that_of_quick_and_says_so(shelf, asked, shown):
    for name in ("reference-quick", "reference-cifar10-cpu"):
        shelf.search(name, "random", 0, trials=4)
    name, note = choose_suite(asked, shelf.exp_dir)
    assert name == shown and f"no run `{asked}`" in note and f"`{shown}`" in note


def test_searches_that_learn_nothing_are_controls_under_names_of_their_own(shelf):
    for controller in ("random", "ranked", "static", "guided", "alphaxenas"):
        shelf.search("s", controller, 0, trials=4)
    shelf.search("uniform", "alphaxenas", 0, trials=4, more={"uniform_share": 1.0})
    groups = load_groups(load_suite("s", shelf.exp_dir), load_others("uniform", shelf.exp_dir))
    controls = [label for label, runs in groups.items() if runs[0].is_control]
    assert controls == ["random search", "random search with proxies", "static order", f"{NO_SEARCH} (uniform)"]


def test_a_folder_with_nothing_but_data_results_and_a_study_is_no_suite_to_show(shelf):
    from alphaxenas.runs import RunFolder

    shelf.search("reference-quick", "random", 0, trials=4)
    for stage in ("data", "results", "study"):
        RunFolder.open("quick", stage, {}, shelf.exp_dir, shelf.exp_dir).close()
    assert choose_suite("quick", shelf.exp_dir)[0] == "reference-quick"


def test_without_any_run_the_error_says_what_is_stored_and_how_to_make_one(shelf):
    shelf.search("other", "random", 0, trials=4)
    with pytest.raises(FileNotFoundError, match=r"'quick'.*Stored are: other.*run_all.sh"):
        choose_suite("quick", shelf.exp_dir)
    with pytest.raises(FileNotFoundError, match="'quick'"):
        load_suite("quick", shelf.exp_dir)


def test_remarks_name_what_is_missing_and_what_is_unfinished(shelf):
    shelf.search("s", "alphaxenas", 0, trials=4)
    shelf.training("s", "final", finished=False)
    text = " ".join(load_suite("s", shelf.exp_dir).remarks())
    assert "`final` is not finished" in text and "no run of random search" in text and "no run `densenet`" in text
    assert "alphaxenas-seed0" not in text


def test_a_whole_suite_needs_no_remarks(suites):
    assert suites[3].remarks() == []


def test_other_suites_keep_their_names(shelf):
    for name in ("s", "uniform"):
        shelf.search(name, "alphaxenas", 0, trials=4)
    groups = load_groups(load_suite("s", shelf.exp_dir), load_others("uniform", shelf.exp_dir))
    assert list(groups) == ["AlphaXENAS", "AlphaXENAS (uniform)"]
    assert load_others("", shelf.exp_dir) == []
    with pytest.raises(FileNotFoundError, match="`compare_with`.*Received: 'unifrom'. Did you mean 'uniform'"):
        load_others("s,unifrom", shelf.exp_dir)


def test_differing_parameters_leave_the_seeds_of_searches_out(shelf):
    shelf.search("s", "alphaxenas", 0, trials=4)
    shelf.search("s", "alphaxenas", 1, trials=4, more={"prior": "uniform"})
    assert differing_parameters(load_suite("s", shelf.exp_dir).searches) == {"prior": ["lstm", "uniform"]}


def test_best_records_are_finals_each_architecture_once(suites):
    found = best_records(suites[3].searches, 10)
    rewards = [record["reward"] for _, record in found]
    assert rewards == sorted(rewards, reverse=True) and len({record["key"] for _, record in found}) == len(found)
    assert {record["purpose"] for _, record in found} == {"final"}


def test_searches_of_recurrent_cells_are_not_shown_among_those_of_image_networks(shelf):
    shelf.search("mine", "random", 0, trials=4)
    stage = shelf.exp_dir / "mine" / "random-seed0"
    shutil.copytree(stage, stage.with_name("recurrent-random-seed0"))
    assert [run.stage for run in load_suite("mine", shelf.exp_dir).searches] == ["random-seed0"]


def test_the_choices_of_all_seeds_come_before_what_they_did_not_choose(suites):
    """Where beliefs decide: a search that chose its worst final comes with that one first."""
    runs = suites[3].searches[:2]
    turned = []
    for run in runs:
        best = sorted({r["key"]: r for r in run.finals}.values(), key=lambda record: record["reward"])
        turned.append(replace(run, results={"chosen_by": "belief", "best": best}))
    found = best_records(turned, 10)
    assert {record["key"] for _, record in found[:2]} == {run.results["best"][0]["key"] for run in turned}
    assert found[0][1]["reward"] >= found[1][1]["reward"]
