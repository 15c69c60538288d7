"""Figures of policies and chains: curves from journals, dots of tests, drawings at one scale."""

from dataclasses import replace

import pytest

from alphaxenas.report import diagnostic_figures, figures
from alphaxenas.report.pictures import drawings
from alphaxenas.report.runs import choose_suite, load_run
from alphaxenas.report.statistics import interval
from alphaxenas.runs import RunFolder
from alphaxenas.spaces.chains.presets import MNIST_BY_HAND, convolution_chains, mnist_chains
from alphaxenas.spaces.drawing.picture import as_png
from alphaxenas.spaces.macro import MacroSpace


def test_curves_are_those_of_the_journal(shelf):
    shelf.search("s", "reinforce", 0)
    run = load_run(shelf.exp_dir / "s" / "reinforce-seed0")
    assert (run.suite, run.controller, len(run.records)) == ("s", "reinforce", 12)
    told = {"policy/reward": 0.5, "policy/entropy": 3.0, "policy/unique_share": 0.8}
    run = replace(run, records=tuple({**record, "diagnostics": told} for record in run.records))
    figure = diagnostic_figures.policy_curves({"REINFORCE": (run,)})
    assert [panel.lines[0].get_ydata()[-1] for panel in figure.axes] == [0.5, 3.0, 0.8]
    assert as_png(figure)
    assert "policy" in diagnostic_figures.policy_curves({}).axes[0].texts[0].get_text()


@pytest.mark.parametrize("seeds", [1, 4])
def test_every_training_is_a_dot_and_every_network_has_its_mean(seeds):
    tests = {
        "found": {seed: 0.9 + 0.01 * seed for seed in range(seeds)},
        "made by hand": {seed: 0.8 for seed in range(seeds)},
    }
    panel = figures.accuracy_dots(tests).axes[0]
    dots = [line for line in panel.lines if line.get_marker() == "o"]
    means = [float(line.get_xdata()[0]) for line in panel.lines if line.get_marker() == "|"]
    assert [len(line.get_xdata()) for line in dots] == [seeds, seeds]
    assert means == pytest.approx([interval(list(found.values())).mean for found in tests.values()])
    assert [label.get_text() for label in panel.get_yticklabels()] == list(tests)


def test_chains_and_macro_architectures_are_drawn_below_each_other_without_touching(rng):
    chains, macro = convolution_chains(8), MacroSpace(6)
    hand, found = mnist_chains().parse(MNIST_BY_HAND), macro.sample(rng)
    for space, architectures in (
        (mnist_chains(), [hand] * 2),
        (chains, [chains.decode((0, 2) * 8)] * 3),
        (macro, [found] * 2),
    ):
        figure = drawings(
            architectures, [space] * len(architectures), [f"number {number}" for number in range(len(architectures))]
        )
        boxes = [panel.get_position() for panel in figure.axes]
        assert all(0 <= box.x0 and box.x1 <= 1.001 and -0.001 <= box.y0 < box.y1 <= 1 for box in boxes)
        assert all(upper.y0 >= lower.y1 for upper, lower in zip(boxes, boxes[1:]))
        assert len({round(box.width, 6) for box in boxes}) == 1 and as_png(figure)


def test_rounds_of_enas_are_curves_of_what_the_policy_drew():
    rounds = [{"round": number, "reward": number / 10, "entropy": 3.0 - number, "unique": 0.9} for number in range(3)]
    figure = diagnostic_figures.round_curves({"micro": rounds, "macro": [{"round": 0, "loss": 1.0}]})
    assert [list(panel.lines[0].get_ydata()) for panel in figure.axes] == [[0.0, 0.1, 0.2], [3.0, 2.0, 1.0], [0.9] * 3]
    assert len(diagnostic_figures.round_curves({}).axes) == 1


def test_a_suite_of_policies_alone_is_none_that_notebook_05_could_show(tmp_path):
    RunFolder.open("mine", "policy-found-0", {}, tmp_path, tmp_path / "events").close()
    with pytest.raises(FileNotFoundError):
        choose_suite("mine", tmp_path)
