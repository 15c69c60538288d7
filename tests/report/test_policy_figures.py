"""Figures of policies and chains: curves from journals, dots of tests, drawings at one scale."""

from dataclasses import replace

import pytest

from alphaxenas.report import figures
from alphaxenas.report.pictures import chain_drawings
from alphaxenas.report.runs import choose_suite, load_run
from alphaxenas.report.statistics import interval
from alphaxenas.runs import RunFolder
from alphaxenas.runs.png import as_png
from alphaxenas.spaces.ready_chains import MNIST_BY_HAND, convolution_chains, mnist_chains


def test_curves_are_those_of_the_journal(shelf):
    shelf.search("s", "reinforce", 0)
    run = load_run(shelf.exp_dir / "s" / "reinforce-seed0")
    assert (run.suite, run.controller, len(run.records)) == ("s", "reinforce", 12)
    told = {"policy/reward": 0.5, "policy/entropy": 3.0, "policy/unique_share": 0.8}
    run = replace(run, records=tuple({**record, "diagnostics": told} for record in run.records))
    figure = figures.policy_curves({"REINFORCE": (run,)})
    assert [panel.lines[0].get_ydata()[-1] for panel in figure.axes] == [0.5, 3.0, 0.8]
    assert as_png(figure)
    assert "policy" in figures.policy_curves({}).axes[0].texts[0].get_text()


@pytest.mark.parametrize("seeds", [1, 4])
def test_every_training_is_a_dot_and_every_network_has_its_mean(seeds):
    tests = {"found": {seed: 0.9 + 0.01 * seed for seed in range(seeds)}, "made by hand": {seed: 0.8 for seed in range(seeds)}}
    panel = figures.accuracy_dots(tests).axes[0]
    dots = [line for line in panel.lines if line.get_marker() == "o"]
    means = [float(line.get_xdata()[0]) for line in panel.lines if line.get_marker() == "|"]
    assert [len(line.get_xdata()) for line in dots] == [seeds, seeds]
    assert means == pytest.approx([interval(list(found.values())).mean for found in tests.values()])
    assert [label.get_text() for label in panel.get_yticklabels()] == list(tests)


def test_chains_are_drawn_below_each_other_without_touching():
    for space, count in ((mnist_chains(), 2), (convolution_chains(8), 3)):
        chain = space.parse(MNIST_BY_HAND) if count == 2 else space.decode((0, 2) * 8)
        figure = chain_drawings([chain] * count, space, [f"number {number}" for number in range(count)])
        boxes = [panel.get_position() for panel in figure.axes]
        assert all(0 <= box.x0 and box.x1 <= 1.001 and 0 <= box.y0 < box.y1 <= 1 for box in boxes)
        assert all(upper.y0 >= lower.y1 for upper, lower in zip(boxes, boxes[1:]))
        assert len({round(box.width, 6) for box in boxes}) == 1 and as_png(figure)
    assert chain_drawings([], mnist_chains(), []).get_figheight() > 0


def test_a_suite_of_policies_alone_is_none_that_notebook_05_could_show(tmp_path):
    RunFolder.open("mine", "policy-found-0", {}, tmp_path, tmp_path / "events").close()
    with pytest.raises(FileNotFoundError):
        choose_suite("mine", tmp_path)
