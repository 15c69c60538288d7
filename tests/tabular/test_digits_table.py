"""The small table of digits: its networks are right, really trained, and the same for any number of processes."""

import contextlib
import csv
import itertools

import numpy as np
import pytest

from alphaxenas.pipelines.study import DIGITS_COLUMNS
from alphaxenas.tabular import digits_table as digits
from alphaxenas.tabular.choices import TableChoice
from alphaxenas.tabular.study import load_table


@pytest.fixture(scope="module")
def brief(tmp_path_factory):
    """A table of one epoch, made in this process."""
    patch = pytest.MonkeyPatch()
    patch.setattr(digits, "EPOCHS", 1)
    patch.setattr(digits, "run_jobs", lambda work, jobs, processes: ((job, work(job)) for job in jobs))
    path = digits.digits_table(tmp_path_factory.mktemp("digits"))
    patch.undo()
    return path


def stack(*codes):
    found = digits._Stack(codes, 0)
    found.weights, found.biases = (
        [array.astype(float) for array in arrays] for arrays in (found.weights, found.biases)
    )
    rng = np.random.default_rng(0)
    for array in found.weights + found.biases:
        array += rng.normal(0, 0.1, array.shape)
    return found


def loss(networks, images, labels):
    likely = networks._probabilities(networks._forward(images))
    return -np.log(likely[:, np.arange(len(labels)), labels]).mean(axis=1)


def test_gradients_equal_finite_differences():
    networks, rng = stack("ddsdnd", "snddds"), np.random.default_rng(1)
    images, labels = rng.uniform(size=(12, 64)), rng.integers(0, 2, 12)
    gradients = networks._gradients(images, labels)
    for array, gradient in zip(networks.weights + networks.biases, gradients):
        for network, place in itertools.product((0, 1), rng.integers(0, array[0].size, 3)):
            at = (network, *np.unravel_index(place, array[0].shape))
            kept, losses = array[at], []
            for step in (1e-6, -1e-6):
                array[at] = kept + step
                losses.append(loss(networks, images, labels)[network])
            array[at] = kept
            assert gradient[at] == pytest.approx((losses[0] - losses[1]) / 2e-6, abs=1e-6)


def test_a_network_does_not_depend_on_those_beside_it():
    train = digits._split()[0]
    alone, beside = digits._Stack(["dsndds"], 0), digits._Stack(["dddddd", "dsndds"], 0)
    for networks in (alone, beside):
        networks.fit(train[0][:50], train[1][:50], 0)
    np.testing.assert_allclose(alone.rate(*train)[0][0], beside.rate(*train)[0][1], rtol=1e-4)


def test_skip_and_none_do_what_they_say():
    networks = stack("nnnsnn", "nnnnnn")  # 0->3 skipped; nothing reaches the last node
    images = np.random.default_rng(0).uniform(size=(5, 64))
    nodes = networks._forward(images)
    np.testing.assert_allclose(nodes[3][0], nodes[0][0])
    np.testing.assert_array_equal(nodes[3][1], 0)


def test_parts_are_stratified_and_do_not_overlap():
    parts = digits._split()
    assert [len(labels) for _, labels in parts] == [500, 650, 647]
    assert all(abs(labels.mean() - 0.5) < 0.02 for _, labels in parts)
    assert len({image.tobytes() for images, _ in parts for image in images}) == 1797


def test_the_table_has_every_network_once_and_can_be_searched(brief):
    rows = list(csv.DictReader(brief.open()))
    assert len(rows) == 729 == len({row["code"] for row in rows}) and tuple(rows[0]) == digits.COLUMNS
    sizes = {row["code"]: int(row["parameters"]) for row in rows}
    assert sizes["nnnnnn"] == 64 * 8 + 8 + 8 * 2 + 2 and sizes["dddddd"] - sizes["nnnnnn"] == 6 * (64 + 8)
    table = load_table(TableChoice(str(brief), **DIGITS_COLUMNS))
    assert table.space.size() == 729 and not table.percent and 0.5 < table.optimum < 1
    assert table.report is not None and np.all(table.cost > 0)


def test_a_table_that_is_there_is_not_trained_again(brief, monkeypatch):
    monkeypatch.setattr(digits, "run_jobs", None)
    assert digits.digits_table(brief.parent) == brief


def test_who_waited_for_another_process_takes_its_table(brief, tmp_path, monkeypatch):
    """Made twice, the later table would have other seconds, and the study on the first be refused."""

    @contextlib.contextmanager
    def waited(folder):
        assert folder == tmp_path
        (tmp_path / digits.FILE).write_bytes(brief.read_bytes())
        yield

    monkeypatch.setattr(digits, "locked", waited)
    monkeypatch.setattr(digits, "run_jobs", None)
    assert digits.digits_table(tmp_path).read_bytes() == brief.read_bytes()


def test_a_process_that_dies_leaves_no_table(tmp_path, monkeypatch):
    monkeypatch.setattr(
        digits,
        "run_jobs",
        lambda work, jobs, processes: ((job, digits.JobError("its process was ended by SIGKILL")) for job in jobs),
    )
    with pytest.raises(RuntimeError, match="SIGKILL"):
        digits.digits_table(tmp_path)
    assert list(tmp_path.iterdir()) == []
