"""Stage `study`: from a configuration to searches, and the trees that notebook 06 draws."""

import json

import pytest

from alphaxenas.config import ParameterError, from_values
from alphaxenas.pipelines.stages import open_stage
from alphaxenas.pipelines.study import (
    record_tree_snapshots,
    run_configured_study,
    study_controllers,
    study_path,
    study_tables,
)
from alphaxenas.report.sample_efficiency import figures
from alphaxenas.report.sample_efficiency import measures as statistics
from alphaxenas.report.sample_efficiency.journals import load_study
from alphaxenas.report.sample_efficiency.tables import conclusions
from alphaxenas.report.sample_efficiency.tree_figures import tree_growth
from alphaxenas.spaces.drawing.picture import as_png
from alphaxenas.tabular.choices import TableChoice, parse_controllers
from alphaxenas.tabular.study import load_table
from tests.tabular.test_study import write_table


@pytest.fixture
def place(tmp_path):
    write_table(tmp_path / "mine.csv")
    return tmp_path


def configured(place, **more):
    values = {
        "run": "s",
        "exp_dir": str(place / "exp"),
        "tensorboard_dir": str(place / "events"),
        "study_controllers": "random,uct",
        "ablation": "",
        "study_seeds": 2,
        "cap": 300,
        "processes": 2,
        "tables": [f"{place / 'mine.csv'} code=arch signal=valid"],
    }
    return from_values({**values, **more})


def test_a_configured_study_is_played_and_kept(place):
    config = configured(place)
    tables = study_tables(config)
    assert run_configured_study(config, tables) == {}
    paths = sorted((study_path(config) / "journals" / tables[0].name).rglob("*.jsonl"))
    assert [f"{path.parent.name}/{path.stem}" for path in paths] == [
        "random/seed0",
        "random/seed1",
        "uct/seed0",
        "uct/seed1",
    ]
    with open_stage(config, "study", {"cap": 300, "target": "optimum"}, overwrite=True) as folder:
        assert not (folder.path / "journals").exists()
    assert json.loads((folder.path / "run.json").read_text())["parameters"] == {"cap": 300, "target": "optimum"}


def test_controllers_of_study_and_ablation_are_each_played_once(place):
    config = configured(place, study_controllers="random,guided", ablation="guided,guided:prior=uniform")
    assert [choice.label for choice in study_controllers(config)] == ["random", "guided", "guided:prior=uniform"]


@pytest.mark.parametrize(
    "name, value, part",
    [
        ("study_controllers", "random,rnd", "'rnd'"),
        ("ablation", "random,random", "twice"),
        ("tables", ["nowhere.csv signal=x"], "nowhere.csv"),
        ("tables", ["{place}/mine.csv code=arch"], "`signal`"),
        ("tables", [], "`tables`"),
        ("target", "best", "`target`"),
        ("cap", 0, "`cap`"),
    ],
)
def test_a_wrong_parameter_of_the_study_is_named_before_any_work(place, name, value, part):
    value = [each.format(place=place) for each in value] if isinstance(value, list) else value
    with pytest.raises(ParameterError) as caught:
        configured(place, **{name: value})
    assert part in str(caught.value)


def test_a_tree_is_watched_as_it_grows(place):
    table = load_table(TableChoice(str(place / "mine.csv"), "arch", "valid"))
    found = record_tree_snapshots(table, parse_controllers("uct")[0], 0, (5, 20, 60))
    assert [queries for queries, _ in found] == [5, 20, 60]
    sizes = [len(tree["parent"]) for _, tree in found]
    assert sizes == sorted(sizes) and all(
        tree["parent"][0] == -1 and tree["visits"][0] >= queries for queries, tree in found
    )
    assert len(tree_growth(found).axes) == 4
    assert record_tree_snapshots(table, parse_controllers("random")[0], 0, (5,)) == []


def test_the_plan_of_a_guided_search_is_a_tree_too(place):
    table = load_table(TableChoice(str(place / "mine.csv"), "arch", "valid"))
    ((queries, tree),) = record_tree_snapshots(table, parse_controllers("guided:plan=tree")[0], 0, (12,))
    assert queries == 12 and tree["visits"][0] == sum(tree["visits"][tree["parent"] == 0]) > 50
    for node in range(len(tree["parent"])):
        assert sum(tree["visits"][tree["parent"] == node]) <= tree["visits"][node]


def test_a_study_of_a_table_of_five_rows_is_concluded_and_drawn(place):
    (place / "five.csv").write_text("arch,acc\nabc,0.5\nabd,0.6\naad,0.7\nbad,0.72\nbbd,0.73\n")
    tables = [f"{place / 'five.csv'} code=arch signal=acc"]
    config = configured(place, tables=tables, study_controllers="random,guided", study_seeds=1, processes=1)
    (choice,) = choices = study_tables(config)
    assert run_configured_study(config, choices) == {}
    study, table = load_study(study_path(config)), load_table(choice)
    assert len(table) == 5 and len(study.searches) == 2
    courses = [
        {choice.name: statistics.regret_course(study, choice.name, **what)}
        for what in ({}, {"cost": "seconds"}, {"measure": "report"})
    ]
    tags = {"guided/rank_correlation": "correlation", "guided/coverage": "coverage"}
    drawn = [figures.query_dots(study), figures.diagnostic_curves(load_study(study_path(config), ["guided"]), tags)]
    drawn += [figures.regret_curves(course, "queries", "regret") for course in courses]
    drawn += [
        tree_growth(record_tree_snapshots(table, parse_controllers(name)[0], 0, (9, 20, 40)))
        for name in ("uct", "guided:plan=tree")
    ]
    assert all(as_png(figure).startswith(b"\x89PNG") for figure in drawn)
    assert conclusions(study, study, "guided", {})["headline"]
