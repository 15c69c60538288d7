"""Figures, tables, words and the checklist, from whole and from incomplete suites."""

import io
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.image import imread

from alphaxenas.config import PROJECT_ROOT
from alphaxenas.config.declarations import controller_settings
from alphaxenas.controllers import CONTROLLERS
from alphaxenas.report import (
    checklist,
    checklist_words,
    diagnostic_figures,
    equal_cost,
    figures,
    findings,
    language_figures,
    load_suite,
    pictures,
    tables,
)
from alphaxenas.report.notebook.parts import ChosenParts
from alphaxenas.report.runs import NAMES, best_records, load_groups, load_others, load_studies
from alphaxenas.report.sample_efficiency.figures import query_dots
from alphaxenas.report.sample_efficiency.journals import load_study
from alphaxenas.report.statistics import compare
from alphaxenas.report.style import LOOKS, Album, looks
from alphaxenas.runs import RunFolder
from tests.report.sample_journals import write_journal

UCT = NAMES["uct"]


def all_figures(suite):
    groups = suite.groups()
    trainings = [run for run in (suite.final, suite.densenet) if run is not None]
    return {
        "curves": figures.search_curves(groups),
        "trials": figures.trial_dots(groups),
        "lstm": diagnostic_figures.lstm_curves(groups),
        "correlations": diagnostic_figures.correlation_curves(groups),
        "tree": diagnostic_figures.tree_curves(groups),
        "operations": diagnostic_figures.operation_shares(groups),
        "training": figures.training_curves(trainings),
        "parameters": figures.accuracy_against_parameters(groups, trainings),
        "cells": pictures.best_cells(best_records(suite.searches, 2)),
    }


@pytest.mark.parametrize("seeds", [1, 3])
def test_every_figure_is_a_picture_of_notebook_width(suites, seeds, tmp_path):
    album = Album()
    for name, figure in all_figures(suites[seeds]).items():
        picture = imread(io.BytesIO(album.show(name, figure).data))
        assert picture.shape[1] == 1000 and picture.std() > 0.05
    album.store(tmp_path)
    assert {path.stem for path in tmp_path.iterdir()} == set(album.pictures)
    assert sum(map(len, album.pictures.values())) < 400_000


def test_an_unfinished_suite_gets_figures_too(shelf):
    shelf.search("s", "random", 0, trials=2)  # before the first final
    shelf.training("s", "final", finished=False)
    suite = load_suite("s", shelf.exp_dir)
    album = Album()
    for name, figure in all_figures(suite).items():
        album.show(name, figure)
    for table in (
        tables.comparison(suite, suite.groups()),
        tables.best_architectures(suite.groups()),
        tables.costs(suite.runs),
        tables.search_diagnostics(suite.searches),
    ):
        tables.formatted(table).to_html()
    assert len(tables.comparison(suite, suite.groups())) == 0
    assert tables.costs(suite.runs).loc["s/final", "seconds"] == 12  # two networks, the last lines say 6 s each


def test_the_same_records_give_the_same_bytes(suites):
    first, second = (Album().show("curves", figures.search_curves(suites[3].groups())).data for _ in range(2))
    assert first == second


def test_a_single_fit_of_the_lstm_is_a_dot_and_what_was_not_recorded_a_sentence(shelf):
    shelf.search("s", "alphaxenas", 0, trials=4)  # learns from the fourth on
    run = load_suite("s", shelf.exp_dir).searches[0]
    run.records[-1]["diagnostics"]["free/rank_correlation"] = 0.1
    *panels, _ = diagnostic_figures.correlation_curves({"AlphaXENAS": [run]}).axes
    decides, *told = panels
    for panel in (*diagnostic_figures.lstm_curves({"AlphaXENAS": [run]}).axes, *told):
        line = panel.lines[0]
        assert len(line.get_xdata()) == 1 and line.get_marker() == "o"
        assert 4 in panel.get_xticks() and not any(tick % 1 for tick in panel.get_xticks())
    assert not decides.lines and [text.get_text() for text in decides.texts] == ["not recorded"]


def test_a_training_of_one_epoch_is_dots(shelf):
    shelf.training("s", "final", epochs=1)
    loss, accuracy = figures.training_curves([load_suite("s", shelf.exp_dir).final]).axes
    assert all(line.get_marker() == "o" for line in loss.lines) and all(
        line.get_marker() != "None" for line in accuracy.lines
    )


def test_one_seed_is_drawn_without_shades_and_labelled_as_one(suites):
    assert not figures.search_curves(suites[1].groups()).axes[0].collections
    several = figures.search_curves(suites[3].groups())
    assert len(several.axes[0].collections) == 2
    assert "mean of 3 seeds" in several.legends[0].get_texts()[0].get_text()


def test_failed_children_are_marked_on_the_edge_and_do_not_stretch_the_axis(suites):
    panel = figures.trial_dots(suites[3].groups()).axes[0]
    assert panel.get_ylim()[0] > 0.4
    assert sum(len(dots.get_offsets()) for dots in panel.collections) == sum(
        len(run.records) for run in suites[3].groups()["AlphaXENAS"]
    )


def test_every_controller_has_a_look_of_its_own_whatever_is_beside_it():
    assert set(LOOKS) == set(NAMES.values())
    assert len({look.colour for look in LOOKS.values()}) == len(LOOKS)
    found = looks(["AlphaXENAS (uniform)", UCT, "AlphaXENAS", "other", *LOOKS])
    assert all(found[name] == look for name, look in LOOKS.items())
    assert len({look.colour for look in found.values()}) == len(LOOKS) + 2


def test_a_controller_has_the_same_colour_in_every_figure(shelf, tmp_path):
    for controller in (
        "local",
        "uct",
        "evolution",
        "alphax",
        "guided",
        "controller_pool",
        "reinforce",
        "random",
        "alphaxenas",
        "nao",
        "ranked",
        "static",
    ):
        shelf.search("s", controller, 0, trials=4)
    groups = load_suite("s", shelf.exp_dir).groups()
    assert list(groups) == [name for name in LOOKS if name != "DenseNet-BC"]
    curves, dots, sizes = (
        figures.search_curves(groups),
        figures.trial_dots(groups),
        figures.accuracy_against_parameters(groups, []),
    )
    lines = {line.get_label().rpartition(", seed")[0]: line.get_color() for line in curves.axes[0].lines}
    assert lines == {name: LOOKS[name].colour for name in groups}
    panels = {panel.get_title(): panel.collections[0] for panel in dots.axes if panel.collections}
    for name, found in [*panels.items(), *((each.get_label(), each) for each in sizes.axes[0].collections)]:
        assert to_hex(found.get_facecolor()[0]) == LOOKS[name].colour, name
    # Notebook 06 draws the same controllers from other records.
    for controller in ("uct", "guided"):
        write_journal(tmp_path / "study", "t", controller, 0, [0.3, 0.9])
    panel = query_dots(load_study(tmp_path / "study")).axes[0]
    studied = [to_hex(found.get_facecolor()[0]) for found in panel.collections if len(found.get_offsets())]
    assert sorted(studied) == sorted([LOOKS[UCT].colour, LOOKS["GuidedSearch"].colour])


def test_trained_networks_have_no_controllers_colour_but_the_baseline_its_own(suites):
    trainings = [suites[3].final, suites[3].densenet]
    lines = {line.get_label(): line.get_color() for line in figures.training_curves(trainings).axes[0].lines}
    assert list(lines) == ["searched, rank 1", "searched, rank 2", "DenseNet-BC"] and len(set(lines.values())) == 3
    assert [name for name, look in LOOKS.items() if look.colour in lines.values()] == ["DenseNet-BC"]
    dots = figures.accuracy_against_parameters(suites[3].groups(), trainings).axes[1].collections
    assert [to_hex(dot.get_facecolor()[0]) for dot in dots] == list(lines.values())


def test_a_known_cell_is_called_by_its_title_and_not_searched():
    (panel, _) = figures.training_curves([load_suite("reference-zoo-cpu", PROJECT_ROOT / "exp").final]).axes
    assert panel.get_legend_handles_labels()[1] == ["NAONet"]
    assert figures.model_name({"name": "rank1", "architecture": "prev:conv3x3"}) == "searched, rank 1"


def test_many_searches_have_rows_of_their_own_and_no_title_runs_into_another(shelf):
    for controller in ("local", "uct", "evolution", "alphax", "guided", "random"):
        shelf.search("s", controller, 0, trials=4)
    figure = diagnostic_figures.operation_shares(load_suite("s", shelf.exp_dir).groups())
    figure.canvas.draw()
    boxes = [panel.title.get_window_extent() for panel in figure.axes if panel.get_title()]
    assert len(boxes) == 6 and not any(one.overlaps(two) for number, one in enumerate(boxes) for two in boxes[:number])


def test_predictions_and_trees_are_shown_of_every_controller_that_has_them(shelf):
    for controller in ("uct", "guided", "alphaxenas"):
        shelf.search("s", controller, 0, trials=8)
    groups = load_suite("s", shelf.exp_dir).groups()
    groups["GuidedSearch"][0].records[-1]["diagnostics"]["guided/rank_correlation"] = 0.7
    groups[UCT][0].records[-1]["diagnostics"]["tree/nodes"] = 5.0
    groups["AlphaXENAS"][0].records[-1]["diagnostics"] |= {"belief/rank_correlation": 0.6, "free/rank_correlation": 0.4}
    policy, _ = diagnostic_figures.lstm_curves(groups).axes
    assert [line.get_color() for line in policy.lines] == [LOOKS["AlphaXENAS"].colour]
    decides, networks, size, promotion = diagnostic_figures.correlation_curves(groups).axes
    drawn = {LOOKS[name].colour: name for name in ("AlphaXENAS", "GuidedSearch")}
    shown = [
        {drawn[line.get_color()]: line.get_ydata()[-1] for line in panel.lines if line.get_color() in drawn}
        for panel in (decides, networks, size, promotion)
    ]
    both = {"AlphaXENAS": 0.6, "GuidedSearch": 0.7}
    assert shown == [both, {"AlphaXENAS": 0.5}, {"AlphaXENAS": 0.4}, {}]
    last = tables.search_diagnostics(groups["AlphaXENAS"]).iloc[0]
    assert (last["held-out rank correlation"], last["rank correlation of size and depth"]) == (0.6, 0.4)
    nodes, depth = diagnostic_figures.tree_curves(groups).axes
    assert [line.get_color() for line in nodes.lines] == [LOOKS["AlphaXENAS"].colour, LOOKS[UCT].colour] and len(
        depth.lines
    ) == 1
    assert all(tick == round(tick) for panel in (nodes, depth) for tick in panel.get_yticks()), (
        "tokens and nodes are counted"
    )
    assert (
        tables.search_diagnostics(groups["GuidedSearch"]).loc["GuidedSearch, seed 0", "held-out rank correlation"]
        == 0.7
    )
    alone = diagnostic_figures.lstm_curves({UCT: groups[UCT]})
    assert "None of these searches" in alone.axes[0].texts[0].get_text() and len(alone.axes) == 1


def test_shares_of_operations_add_up_in_every_stretch(suites):
    operations, shares = diagnostic_figures._shares(suites[3].groups()["random search"])
    assert len(operations) == 10
    np.testing.assert_allclose(shares.sum(axis=0), 1.0)


def test_comparison_puts_searches_beside_full_trainings_with_cost(suites):
    table = tables.comparison(suites[3], suites[3].groups())
    assert list(table.index) == [
        "best child, AlphaXENAS",
        "best child, random search",
        "searched, rank 1",
        "searched, rank 2",
        "DenseNet-BC",
    ]
    assert table["test"].notna().tolist() == [False, False, True, False, True]  # only what validation chose
    child = table.loc["best child, AlphaXENAS"]
    assert (
        child["trials"] == 12
        and child["low"] <= child["validation"] <= child["high"]
        and child["images trained"] == 9 * 100 + 3 * 600
    )
    assert np.isnan(tables.comparison(suites[1], suites[1].groups()).loc["best child, AlphaXENAS", "low"])


def test_costs_count_failures_and_sum_up(suites):
    table = tables.costs(suites[3].runs)
    assert table.loc["suite/random-seed0", "failed"] == 1 and table.loc["suite/random-seed0", "trained"] == 12
    assert table.loc["all", "images trained"] == table["images trained"][:-1].sum()
    assert table.loc["suite/densenet", "training multiply-adds (10¹²)"] == pytest.approx(3 * 4 * 200 * 2e6 / 1e12)


def test_tables_show_a_dash_where_there_is_no_number_and_become_json(suites):
    table = tables.comparison(suites[1], suites[1].groups())
    assert "nan" not in tables.formatted(table).to_html().lower() and "–" in tables.formatted(table).to_html()
    assert tables.records(table)[0]["low"] is None and tables.records(table)[0]["network"] == "best child, AlphaXENAS"


def test_one_seed_is_never_called_a_win_and_the_seeds_that_it_takes_are_named(suites):
    comparisons = equal_cost.compare_each(suites[1].groups())
    sentences = " ".join(findings.findings(suites[1], comparisons))
    assert "one seed, no interval" in sentences and "**Not shown**" in sentences and "**Shown**" not in sentences
    assert findings.headline(suites[1], comparisons).startswith(
        "Whether AlphaXENAS is better at equal seconds cannot be shown with 1 seed, 6 are needed: it differs from "
        "random search by +0.0"
    )


def test_one_sentence_says_who_won_against_every_control(shelf):
    for seed in range(8):
        shelf.search("s", "alphaxenas", seed, bonus=0.05 + 0.001 * seed)
        shelf.search("s", "random", seed)
        shelf.search("s", "ranked", seed, bonus=0.1 + 0.003 * seed)
        shelf.search("s", "static", seed, bonus=0.05 + 0.001 * seed + 0.01 * (-1) ** seed)
    suite = load_suite("s", shelf.exp_dir)
    comparisons = equal_cost.compare_each(suite.groups())
    said = findings.who_won(suite, comparisons)
    order = [
        "AlphaXENAS at equal seconds is not shown to be better than static order (",
        "is shown to be better than random search (+0.05",
        "is shown to be worse than random search with proxies (-0.05",
    ]
    places = [said.find(part) for part in order]
    assert places == sorted(places) and places[0] == 0 and said.count("over 8 seeds") == 3
    assert said.count("3 comparisons") == 3 and "\n" not in said
    few = replace(suite, searches=tuple(run for run in suite.searches if run.seed < 6))
    assert "with 6 seeds, 7 are needed for 3 comparisons: it differs from random search by +0.05" in findings.who_won(
        few, equal_cost.compare_each(few.groups())
    )


def test_findings_give_test_accuracy_with_its_interval_and_say_what_is_missing(suites, shelf):
    sentences = findings.findings(suites[6], equal_cost.compare_each(suites[6].groups()))
    assert sentences[0].startswith("AlphaXENAS at equal seconds is shown to be better than random search (+0.05")
    assert "**0.8500** on 500 images" in sentences[1]
    assert any(sentence.startswith("**Not shown**: AlphaXENAS minus random search") for sentence in sentences)
    shelf.search("s", "random", 0, trials=4)
    assert "nothing can be said" in findings.findings(load_suite("s", shelf.exp_dir), {})[0]


def test_every_search_is_compared_with_every_control(shelf):
    for controller, bonus in (("random", 0.0), ("ranked", 0.02), ("guided", 0.1), ("uct", 0.05)):
        for seed in (0, 1):
            shelf.search("s", controller, seed, bonus=bonus)
    shelf.search("other", "random", 0)
    shelf.search("other", "alphaxenas", 0, more={"uniform_share": 1.0})
    suite = load_suite("s", shelf.exp_dir)
    comparisons = equal_cost.compare_each(load_groups(suite, load_others("other", shelf.exp_dir)))
    rivals = ["random search", "random search with proxies", "AlphaXENAS without a search (other)"]
    assert list(comparisons) == [(search, rival) for search in (UCT, "GuidedSearch") for rival in rivals]
    comparisons = equal_cost.compare_each(suite.groups())
    table = tables.differences(comparisons)
    decisive = "best final at equal seconds"
    assert table.index[0] == (UCT, "random search", decisive)
    assert table.loc[("GuidedSearch", "random search", decisive), "difference"] == pytest.approx(0.1)
    assert table.loc[(UCT, "random search with proxies", decisive), "difference"] == pytest.approx(0.03)
    assert tables.per_seed(comparisons).index.get_level_values("seed").tolist() == [0, 1] * 4
    sentences = findings.findings(suite, comparisons)
    assert sum(f": {UCT} minus random search," in sentence for sentence in sentences) > 1
    assert sum(": GuidedSearch minus random search," in sentence for sentence in sentences) == 1
    assert findings.headline(suite, comparisons).startswith(f"Whether {UCT} is better")
    assert suite.remarks()[0].startswith("There is no run `final`")


def test_the_leading_search_is_the_one_whose_best_was_trained(shelf):
    for controller in ("random", "guided", "uct"):
        shelf.search("s", controller, 0, trials=8, bonus=0.1 * (controller == "guided"))
    suite = load_suite("s", shelf.exp_dir)
    assert [run.stage for run in suite.leading] == ["uct-seed0"]
    guided, random = suite.groups()["GuidedSearch"][0], suite.groups()["random search"][0]
    trained = replace(
        guided, stage="final", description={"parameters": {"trained": ["of guided"]}}, records=(), results=None
    )
    guided.records[3]["architecture"] = "of guided"
    complete = replace(suite, final=trained)
    assert [run.stage for run in complete.leading] == ["guided-seed0"]
    comparisons = equal_cost.compare_each(suite.groups())
    assert f"Whether {UCT} is" in findings.headline(suite, comparisons)
    assert "Whether GuidedSearch is" in findings.headline(complete, comparisons)
    assert findings.findings(complete, comparisons)[1].startswith("**Not shown**: GuidedSearch minus")
    assert [run.stage for run in replace(suite, searches=(random,)).leading] == ["random-seed0"]


def test_a_sentence_says_whether_ratings_rank_worse_than_size(shelf):
    def rated(seed, sign, promotions=6):
        """A search whose ratings order the promoted architectures rightly (sign 1) or not, and their size does."""
        run = shelf_run(seed)
        records = [record for record in run.records if record["purpose"] == "search"][:promotions]
        records = list({record["key"]: record for record in records}.values())
        out = []
        for place, record in enumerate(records):
            noise = 0.3 * ((place * 7 + seed) % 3)
            size = {"parameters": 100.0 * place + 100 * noise, "depth": 1.0}
            record = {**record, "metrics": {**record["metrics"], **size}}
            out += [
                {**record, "reward": 0.5 + sign * 0.01 * place},
                {**record, "purpose": "final", "reward": place / 10},
            ]
        return replace(run, records=tuple(out))

    def shelf_run(seed):
        shelf.search("s", "alphaxenas", seed, trials=20)
        (run,) = [run for run in load_suite("s", shelf.exp_dir).searches if run.seed == seed]
        return run

    runs = [rated(seed, -1) for seed in range(6)]
    (said,) = findings.ratings_against_size({"AlphaXENAS": runs})
    assert said.startswith("AlphaXENAS: ratings with shared weights rank **worse** than size and depth: by -1.00 and ")
    assert said.endswith("`share_weights=false` trains children from scratch.")
    (said,) = findings.ratings_against_size({"AlphaXENAS": runs[:1]})
    assert "is **not shown**: they correlate by -1.00 and" in said and "one seed" in said
    (said,) = findings.ratings_against_size({"AlphaXENAS": [rated(6, 1, promotions=4)]})
    assert "**cannot be told**: 4 promoted architectures have both, at least 5 are needed" in said


def test_wilson_interval_equals_a_published_example():
    # Newcombe 1998, Statistics in Medicine 17(8), table I: 81 of 263.
    assert findings.wilson(81 / 263, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)


def test_what_is_not_shown_is_said_first(suites):
    shown = compare(dict.fromkeys(range(8), 0.9), dict.fromkeys(range(8), 0.8))
    hidden = compare({0: 0.9}, {0: 0.8})
    sentences = findings.findings(
        replace(suites[6], final=None, densenet=None), {("AlphaXENAS", "x"): {"first": shown, "second": hidden}}
    )
    assert [sentence.split(":")[0] for sentence in sentences[1:]] == ["**Not shown**", "**Shown**"]
    assert "one seed" in sentences[1] and "p = 0.008" in sentences[2]


def test_two_networks_are_compared_over_the_seeds_of_their_trainings():
    tests = {"found": {seed: 0.9 + 0.001 * seed for seed in range(3)}, "by hand": dict.fromkeys(range(3), 0.8)}
    text = findings.test_accuracies(tests, {"found": 1200, "by hand": 900})
    assert text.startswith("- **found**, 1,200 parameters: test accuracy 0.9010 [")
    assert "**Not shown**: found minus by hand: +0.1010" in text and "3 seeds are fewer than 6" in text


def test_a_cell_that_was_known_costs_no_words_and_has_no_dot():
    def final(reward, **more):
        return {"purpose": "final", "status": "ok", "reward": reward, "metrics": {"words": 100.0, **more}}

    journal = [final(0.5), final(0.5, cached=1.0), final(0.6)]
    axes = language_figures.search_curves({"alphaxenas-seed0": journal}, 100).axes[0]
    assert axes.lines[0].get_xdata().tolist() == [100, 200]
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [10, 100**0.4])


def test_the_table_of_language_models_tells_them_apart():
    sizes = {"architecture": "tanh", "parameters": 9000, "units": 48, "epochs": 3, "seconds": 15.0}
    found = {"name": "found", "validation_perplexity": 8.604, "test_perplexity": 8.382, **sizes}
    drawn = {"name": "drawn", "validation_perplexity": 8.941, "test_perplexity": 8.712, **sizes}
    shown = tables.formatted(language_figures.models_table({"models": [found, drawn]})).to_html()
    assert all(f">{number}<" in shown for number in ("8.60", "8.38", "8.94", "8.71", "0.25", "9,000"))


def test_tables_of_notebook_08():
    rounds = [{"round": 0, "images": 100, "standard_error": 0.05, "spread": 0.02, "ranking_is_resolved": False}]
    table = tables.scoring_rounds(rounds)
    assert table.loc[1, "ranking is resolved"] == "no" and "0.0500" in tables.formatted(table).to_html()
    model = {"name": "rank1", "validation_accuracy": 0.9, "parameters": 1000, "multiply_adds": 2000, "seconds": 1.0}
    assert tables.trained_models([model]).loc["rank1"].tolist() == [0.9, 1000, 2000, 1]


def test_what_belongs_to_a_part_that_is_not_chosen_is_not_made_and_says_which_parameter_leaves_it_out():
    parts = ChosenParts("policy_parts", ["table"])
    assert "table" in parts and "mnist" not in parts and parts.show("table", lambda: "shown") == "shown"
    left_out = parts.show("mnist", lambda: pytest.fail("it was made"))
    assert "policy_parts" in left_out.data and "mnist" in left_out.data


def test_tables_of_notebook_04():
    model = {"name": "rank1", "validation_accuracy": 0.9, "best_epoch": 3, "epochs": 4}
    beside = {"name": "hand_made", "validation_accuracy": 0.8, "epochs": 4, "test_accuracy": 0.7}
    table = tables.trained_models([model, beside])
    assert list(table) == ["validation", "best epoch", "epochs", "test"]
    assert table["test"].isna().tolist() == [True, False] and "0.7000" in tables.formatted(table).to_html()
    said = tables.predictions(np.array([1, 0]), np.array([[0.25, 0.75], [0.4, 0.6]]), ("cat", "dog"))
    assert said.loc["image shows"].tolist() == ["dog", "cat"] and said.loc["model says"].tolist() == ["dog", "dog"]
    assert said.loc["probability"].tolist() == [0.75, 0.6]


def test_a_net_beside_the_chosen_one_shows_its_test_accuracy_too(suites):
    final = suites[1].final
    first, second = final.models
    models = [first, second | {"name": "hand_made", "test_accuracy": 0.625}]
    suite = replace(suites[1], final=replace(final, results=final.results | {"models": models}))
    tests = tables.comparison(suite, suite.groups())["test"].dropna()
    assert tests.iloc[:2].tolist() == [pytest.approx(0.85), 0.625]
    once = answers(suite)["Test data were used once, after everything was chosen."]
    assert once.answer == "yes" and "rank1 of 2" in once.evidence and "hand_made beside it" in once.evidence


def test_children_of_one_amount_of_work_are_told_by_it(suites):
    run = suites[1].leading[0]
    budgets = {"search_epochs": 1, "search_fraction": 0.12, "final_epochs": 1, "final_fraction": 1.0}
    given = replace(run, description={"parameters": run.parameters | budgets | {"child_teraflops": 50.0}})
    words = checklist_words.budget_words(given)
    assert words.startswith("search 6 · 10¹² operations; final 50 · 10¹² operations") and "epoch" not in words
    row = tables.comparison(replace(suites[1], searches=(given,)), {"AlphaXENAS": [given]}).iloc[0]
    assert row["trained for"] == "150 · 10¹² operations, in the search"  # its records have three epochs


def answers(suite, others=()):
    return {item.asked: item for item in checklist.checklist(suite, others)}


def test_the_checklist_says_no_where_something_is_missing(shelf):
    shelf.search("s", "alphaxenas", 0, trials=4)
    found = answers(load_suite("s", shelf.exp_dir))
    for asked in (
        "Random search is among",
        "Searches are repeated",
        "Ablations show",
        "Test data were used",
        "All methods search the same space",
        "Tabular",
    ):
        assert next(item for text, item in found.items() if text.startswith(asked)).answer == "no", asked
    assert all(item.evidence for item in found.values())


@pytest.mark.parametrize("seeds, answer", [(1, "no"), (3, "partly"), (6, "yes")])
def test_the_checklist_counts_seeds(suites, seeds, answer):
    item = answers(suites[seeds])["Searches are repeated with several seeds, and the seeds are given."]
    assert item.answer == answer and str(seeds) in item.evidence


def test_the_checklist_notices_another_recipe_budget_or_length_of_training(shelf):
    shelf.search("s", "alphaxenas", 0, trials=4)
    shelf.search("s", "random", 0, trials=4, more={"learning_rate": 0.2, "final_epochs": 5})
    shelf.training("s", "final")
    shelf.training("s", "densenet")
    found = answers(load_suite("s", shelf.exp_dir))
    recipe, budgets = (
        found["All methods train children by the same code and recipe."],
        found["The same protocol rates all methods."],
    )
    assert recipe.answer == budgets.answer == "no"
    assert "learning_rate 0.05 or 0.2" in recipe.evidence and "final_epochs 3 or 5" in budgets.evidence
    alike = found["The searched network and the baseline are trained alike."]
    assert alike.answer == "partly" and "epochs" in alike.evidence


def test_an_ablation_counts_when_it_differs_in_the_method_alone(shelf):
    shelf.search("s", "alphaxenas", 0, trials=4)
    shelf.search("uniform", "alphaxenas", 0, trials=4, more={"prior": "uniform"})
    shelf.search("other", "alphaxenas", 0, trials=4, more={"prior": "uniform", "filters": 7})
    suite, asked = load_suite("s", shelf.exp_dir), "Ablations show which part of the method matters."
    item = answers(suite, load_others("uniform", shelf.exp_dir))[asked]
    assert item.answer == "partly" and "prior lstm or uniform" in item.evidence
    assert answers(suite, load_others("other", shelf.exp_dir))[asked].answer == "no"


def test_the_checklist_asks_for_a_study_on_tables_of_the_same_controllers(shelf):
    asked = "Tabular or surrogate benchmarks back the comparison."
    for controller in ("guided", "random"):
        shelf.search("s", controller, 0, trials=4)
    suite = load_suite("s", shelf.exp_dir)

    def answered():
        return next(item for item in checklist.checklist(suite, (), load_studies(shelf.exp_dir)) if item.asked == asked)

    assert answered().answer == "no" and "no study" in answered().evidence
    with RunFolder.open("other", "study", {}, shelf.exp_dir, shelf.exp_dir) as folder:
        assert answered().answer == "no" and "other/study has no results" in answered().evidence
        folder.write_results(
            {
                "queries": [
                    {"table": "t", "controller": "random", "seeds": 10},
                    {"table": "t", "controller": "guided", "seeds": 4},
                ]
            }
        )
    assert answered().answer == "partly" and "or more: GuidedSearch" in answered().evidence
    with RunFolder.open("more", "study", {}, shelf.exp_dir, shelf.exp_dir) as folder:
        folder.write_results({"queries": [{"table": "u", "controller": "guided", "seeds": 6}]})
    assert answered().answer == "yes" and "more/study: tables u; GuidedSearch; 6 seeds each" in answered().evidence


def test_summary_counts_every_item_once(suites):
    items = checklist.checklist(suites[3])
    assert sum(checklist.summary(items).values()) == len(items) == len(checklist.as_table(items))


def test_image_rows_place_every_strip():
    pages = {"zero": np.zeros((8, 80, 3), np.uint8), "one": np.full((8, 80, 3), 128, np.uint8)}
    figure = pictures.image_rows(pages)
    assert len(figure.axes) == 2 and [text.get_text() for text in figure.texts] == ["zero", "one"]


def test_report_needs_no_tensorflow():
    code = (
        "import sys, alphaxenas.report.figures, alphaxenas.report.tables, alphaxenas.report.checklist, "
        " alphaxenas.report.pictures, alphaxenas.report.findings; "
        "sys.exit('tensorflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=PROJECT_ROOT, check=False).returncode == 0


def test_every_setting_of_a_controller_may_be_what_an_ablation_changes():
    settings = {parameter for name in CONTROLLERS for parameter in controller_settings(name).values()}
    assert set(checklist._METHOD) == settings | {
        *("search_children", "promotion", "proxies"),
        *("start_from", "favoured", "import_trials"),
    }


def test_importing_the_report_loads_neither_declarations_of_parameters_nor_scipy():
    code = (
        "import sys, alphaxenas.report; sys.exit(any(name in sys.modules for name in ('pydantic', 'scipy', 'pandas')))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=PROJECT_ROOT, check=False).returncode == 0
