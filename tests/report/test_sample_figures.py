"""Figures of sample efficiency: pictures of notebook width, from whole and from poor studies."""

import io

import numpy as np
import pytest
from matplotlib.image import imread

from alphaxenas.report.sample_efficiency import figures, tree_figures
from alphaxenas.report.sample_efficiency import measures as se
from alphaxenas.report.sample_efficiency.journals import load_study
from alphaxenas.spaces.drawing.picture import as_png
from tests.report.sample_journals import write_journal


def write_study(folder, tables=("t", "u"), seeds=4, whole=True):
    rng = np.random.default_rng(0)
    for place, controller in enumerate(("random", "guided", "guided:plan=rollouts", "uct")):
        for table in tables:
            for seed in range(seeds):
                count = int(rng.integers(5, 30)) * (place + 1)
                signals = [*rng.uniform(0.3, 0.8, count - 1), 0.9]
                notes = (
                    [(5, {"guided/rank_correlation": rng.uniform(), "guided/coverage": 0.9})]
                    if controller.startswith("guided")
                    else []
                )
                more = (
                    {"reports": list(rng.uniform(0.3, 0.8, count)), "costs": list(rng.uniform(1, 2, count))}
                    if whole
                    else {}
                )
                ended = "found" if seed or place else "cap"
                write_journal(
                    folder,
                    table,
                    controller,
                    seed,
                    signals if ended == "found" else signals[:-1] + [0.8],
                    ended=ended,
                    diagnostics=notes,
                    **more,
                )
    return load_study(folder)


def all_figures(study):
    tags = {"guided/rank_correlation": "rank correlation", "guided/coverage": "coverage"}
    return {
        "dots": figures.query_dots(study),
        "diagnostics": figures.diagnostic_curves(study, tags),
        "regret": figures.regret_curves(
            {table: se.regret_course(study, table) for table in study.tables}, "queries", "regret"
        ),
        "time": figures.regret_curves(
            {table: se.regret_course(study, table, cost="seconds") for table in study.tables}, "seconds", "regret"
        ),
        "report": figures.regret_curves(
            {table: se.regret_course(study, table, "report") for table in study.tables}, "queries", "regret"
        ),
    }


@pytest.mark.parametrize(
    "shape",
    [
        {"seeds": 4},
        {"seeds": 1, "tables": ("t",)},
        {"seeds": 2, "whole": False},
        {"tables": ("t", "u", "v"), "seeds": 2},
    ],
)
def test_every_figure_is_a_picture_of_notebook_width(shape, tmp_path):
    for name, figure in all_figures(write_study(tmp_path, **shape)).items():
        picture = imread(io.BytesIO(as_png(figure)))
        assert picture.shape[1] == 1000 and picture.std() > 0.02, name


def test_no_searches_give_figures_that_say_so(tmp_path):
    drawn = all_figures(load_study(tmp_path))
    for figure in drawn.values():
        as_png(figure)
    for name in ("regret", "time", "report"):
        assert [text.get_text() for text in drawn[name].axes[0].texts] == ["No table has this column."], name


def test_a_table_whose_rows_are_all_best_has_no_regret_and_its_name_is_no_formula():
    none = se.Course(np.array([1.0, 2.0]), {}, {"random": np.zeros(2)}, {}, {})
    figure = figures.regret_curves({"a$b$c": none}, "queries", "regret")
    assert as_png(figure) and "No regret" in figure.axes[0].texts[0].get_text()
    assert figure.axes[0].get_title() == r"a\$b\$c"


def test_searches_without_success_are_marked(tmp_path):
    study = write_study(tmp_path, tables=("t",))
    panel = figures.query_dots(study).axes[0]
    flagged = [text.get_text() for text in panel.texts if text.get_text().startswith("≥")]
    assert len(flagged) == 1  # random search, whose seed 0 did not succeed
    assert sum(len(dots.get_offsets()) for dots in panel.collections) == len(study.searches)


def test_controllers_keep_their_colours_and_variants_differ():
    looks = figures._looks(["guided", "random", "guided:plan=rollouts", "guided:prior=uniform"])
    assert looks["guided"] == figures._looks(["uct", "guided"])["guided"]
    assert len({look.colour for look in looks.values()}) == 4


def tree(parents, actions):
    return {
        "parent": np.array(parents),
        "action": np.array(actions),
        "visits": np.arange(len(parents), 0, -1),
        "total": np.linspace(0.1, 0.9, len(parents)),
    }


def test_a_tree_is_drawn_with_every_node_and_a_prefix_keeps_its_place():
    small, large = tree([-1, 0, 0], [0, 0, 1]), tree([-1, 0, 0, 1, 1, 2], [0, 0, 1, 0, 1, 1])
    figure = tree_figures.tree_growth([(3, small), (6, large)])
    first, second = figure.axes[:2]
    places = [
        np.array(sorted(map(tuple, panel.collections[1].get_offsets().data.round(6)))) for panel in (first, second)
    ]
    assert len(places[0]) == 3 and len(places[1]) == 6
    assert set(map(tuple, places[0])) <= set(map(tuple, places[1]))
    assert "6 queries, 6 nodes" in second.get_title()
    assert imread(io.BytesIO(as_png(figure))).shape[1] == 1000


def test_prefixes_are_as_far_from_the_middle_as_they_are_long():
    prefixes = [(), (0,), (1,), (0, 0), (0, 1), (0, 1, 1)]
    places = tree_figures._radial(prefixes)
    assert (
        all(np.hypot(*places[prefix]) == pytest.approx(len(prefix)) for prefix in prefixes)
        and len(set(places.values())) == 6
    )


def test_no_tree_is_said():
    assert "no tree" in tree_figures.tree_growth([]).axes[0].texts[0].get_text()
