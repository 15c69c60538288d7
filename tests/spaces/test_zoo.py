"""The zoo: every known cell can be read, built, drawn, written in all its forms, and has the published size or says why
not.
"""

import json
import re

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from alphaxenas.networks.micro import MicroNetwork
from alphaxenas.networks.outline import outline_of
from alphaxenas.spaces.drawing.registry import draw
from alphaxenas.spaces.forms.nao_notation import NAO_OPERATIONS
from alphaxenas.spaces.micro import MICRO_OPERATIONS, MicroArchitecture, MicroSpace
from alphaxenas.spaces.zoo import zoo_cell, zoo_names

CIFAR = (32, 32, 3)
NAMES = zoo_names()
NOT_MET = {"enas": 3.73, "nao_ws": 2.30, "naonet": 144.55}
"""Cells whose published size cannot be met, and what theirs is, in millions; their notes say why."""


def network_of(cell, filters=None, cells=None, classes=10):
    return MicroNetwork(
        cell.architecture, classes, filters or cell.filters, cells or cell.cells, concat_all=cell.concat_all
    )


def test_the_published_cells_are_there():
    assert set(NAMES) >= {
        "nasnet_a",
        "amoebanet_a",
        "amoebanet_b",
        "pnasnet_5",
        "enas",
        "darts_v1",
        "darts_v2",
        "naonet",
        "nao_ws",
    }


@pytest.mark.parametrize("name", NAMES)
def test_it_has_the_published_number_of_parameters_or_says_why_not(name):
    cell = zoo_cell(name)
    millions = outline_of(network_of(cell), CIFAR).parameters / 1e6
    if name in NOT_MET:
        assert millions == pytest.approx(NOT_MET[name], rel=0.002) and "not met" in cell.note
        assert abs(millions / cell.published_parameters - 1) > 0.05
    else:
        assert millions == pytest.approx(cell.published_parameters, rel=0.05)


def test_the_size_of_darts_is_that_of_its_published_code():
    """3,349,342 and 3,169,414: what the published PyTorch networks have besides their auxiliary heads."""
    counts = [outline_of(network_of(zoo_cell(name)), CIFAR).parameters for name in ("darts_v2", "darts_v1")]
    assert counts == [3_349_342, 3_169_414]


@pytest.mark.parametrize("name", NAMES)
def test_a_small_network_of_it_has_finite_logits(name):
    import tensorflow as tf

    from tests.networks.tiny import layers_of

    network = network_of(zoo_cell(name), filters=4, cells=3, classes=3)
    [logits] = network(layers_of(network, (8, 8, 3)), tf.ones([2, 8, 8, 3]))
    assert logits.shape == (2, 3) and np.isfinite(logits).all() and np.ptp(logits) > 0


@pytest.mark.parametrize("name", NAMES)
def test_it_can_be_drawn(name):
    figure = Figure(figsize=(9, 4))
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    draw(MicroSpace(), zoo_cell(name), axes)
    assert len(axes.child_axes) == 2 and all(part.patches for part in axes.child_axes)


@pytest.mark.parametrize("name", NAMES)
def test_it_is_a_member_of_a_space_and_survives_tokens_text_and_json(name):
    architecture = zoo_cell(name).architecture
    space = MicroSpace(len(architecture.normal.blocks), MICRO_OPERATIONS)
    assert space.decode(space.encode(architecture)) == architecture
    assert space.parse(architecture.to_text()) == space.parse(architecture.to_json()) == architecture
    assert MicroArchitecture.parse(zoo_cell(name).to_json()) == architecture


@pytest.mark.parametrize("name", NAMES)
def test_it_says_where_it_comes_from_and_what_it_reached(name):
    cell = zoo_cell(name)
    assert re.search(r"20(18|19), \"", cell.source) and cell.title and 1.5 < cell.published_error < 4
    assert str(cell) == f"zoo:{name}" and zoo_cell(str(cell)) == cell
    assert json.loads(cell.to_json()).keys() == {"normal", "reduction"}


def test_naonet_is_of_naos_space_and_the_cells_of_weight_sharing_are_of_enas_s():
    for name, space in (("naonet", MicroSpace(5, NAO_OPERATIONS)), ("enas", MicroSpace()), ("nao_ws", MicroSpace())):
        architecture = zoo_cell(name).architecture
        assert space.decode(space.encode(architecture)) == architecture


def test_the_output_of_darts_are_all_nodes_though_one_is_used():
    cell = zoo_cell("darts_v2")
    assert cell.concat_all and cell.normal.output_blocks() == (1, 2, 3)
    assert "classifier/block0/kernel" in outline_of(network_of(cell, 4, 3), CIFAR).weights


def test_an_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(ValueError, match="darts_v1, darts_v2.*'darts_v3'.*Did you mean 'darts_v"):
        zoo_cell("zoo:darts_v3")
