"""Recurrent cells: sizes, the forms in which others print them, and keys that see through the numbering of nodes."""

from __future__ import annotations

from math import factorial, prod

import numpy as np
import pytest

from alphaxenas.networks.language.cores import CellCore
from alphaxenas.networks.language.model import weight_shapes
from alphaxenas.spaces.recurrent import ACTIVATIONS, RecurrentCell, RecurrentNode, RecurrentSpace
from alphaxenas.spaces.recurrent_zoo import RECURRENT_ZOO

NAO = "0 1 0 1 1 1 3 0 4 1 4 1 5 1 1 1 7 1 1 1 1 2"
ENAS = "0 0 0 1 1 2 1 2 0 2 0 5 1 1 0 6 1 8 1 8 1 8 1"
DARTS_V1 = (
    "Genotype(recurrent=[('relu', 0), ('relu', 1), ('tanh', 2), ('relu', 3), ('relu', 4), ('identity', 1), "
    "('relu', 5), ('relu', 1)], concat=range(1, 9))"
)
ENAS_IN_DARTS = (
    "Genotype(recurrent=[('tanh', 0), ('tanh', 1), ('relu', 1), ('tanh', 3), ('tanh', 3), ('relu', 3), ('relu', 4), "
    "('relu', 7), ('relu', 8), ('relu', 8), ('relu', 8)], concat=[2, 5, 6, 9, 10, 11])"
)


def test_sizes_are_exact():
    assert RecurrentSpace().size() == factorial(11) * 4**11
    assert RecurrentSpace(11, choose_first=True).size() == factorial(11) * 4**12


@pytest.mark.parametrize(
    "text, nodes, output, millions",
    [
        (NAO, 11, "all", 27.3),
        (DARTS_V1, 8, "all", 23.0),
        (ENAS, 11, "unused", 27.3),
        (ENAS_IN_DARTS, 11, "unused", 27.3),
    ],
)
def test_published_cells_are_read_and_have_their_parameters_at_850_units(text, nodes, output, millions):
    # Luo et al. 2018, table 4: 27 M; Liu et al. 2019, table 2: 23 M; embedding and softmax of 10,000 words are tied.
    cell = RecurrentCell.parse(text)
    assert (len(cell.nodes), cell.output) == (nodes, output)
    assert round((cell.parameters(850) + 10_000 * 850 + 10_000) / 1e6, 1) == millions


def test_the_last_two_codes_mean_other_activations_in_enas_than_in_nao():
    # ENAS's description and `_rhn_fixed`: 2 identity, 3 sigmoid; NAO's `_get_activation`: 2 sigmoid, 3 identity.
    assert str(RecurrentCell.parse("2 0 3 1 2")) == "s0=identity; sigmoid(0); identity(1) -> unused"
    assert str(RecurrentCell.parse("0 3 1 2")) == "identity(0); sigmoid(1)"
    for text in ("2 0 3 1 2", "3 0 2 0 3 2 1"):
        assert RecurrentCell.parse(text).to_integers(with_first=True) == text
    assert RecurrentCell.parse("0 3 1 2").to_integers() == "0 3 1 2"


def test_the_cell_that_enas_prints_is_the_one_that_darts_records():
    printed, recorded = RecurrentCell.parse(ENAS), RECURRENT_ZOO["enas_rnn"].cell
    assert printed != recorded == RecurrentCell.parse(ENAS_IN_DARTS)  # other numbers of the nodes
    assert RecurrentSpace().key(printed) == RecurrentSpace().key(recorded)


@pytest.mark.parametrize("name", RECURRENT_ZOO)
def test_models_of_the_zoo_have_their_published_parameters(name):
    entry = RECURRENT_ZOO[name]
    shapes = weight_shapes(CellCore(entry.cell, entry.units), 10_000)
    counted = sum(map(prod, shapes.values())) - 10_000  # the bias of the softmax, which publications leave out
    assert counted == entry.cell.parameters(entry.units) + 10_000 * entry.units
    if name == "enas_rnn":
        # With the shapes of ENAS's own code (`_build_params`); its paper says 24 million, and not of what.
        assert counted == 10_000 * 748 + (2 * 748) * (2 * 748) + 11 * 748 * (2 * 748) == 22_027_104
        assert entry.parameters == 24.0
    else:
        assert round(counted / 1e6) == entry.parameters


def test_foreign_forms_lose_nothing():
    assert RecurrentCell.parse(NAO).to_integers() == NAO
    assert RecurrentCell.parse(ENAS).to_integers(with_first=True) == ENAS
    for text in (DARTS_V1, ENAS_IN_DARTS):
        assert RecurrentCell.parse(RecurrentCell.parse(text).to_darts()) == RecurrentCell.parse(text)


@pytest.mark.parametrize(
    "text, message",
    [
        ("tanh(0); relu(2)", r"`input` in node 2. Expected 0 to 1"),
        ("tanh(0); rleu(1)", r"relu"),
        ("tanh(0); relu", r"in node 2"),
        ("0 1 2 0", r"position 2 \(input of node 2\). Expected 0 to 1. Received: 2"),
        ("0 4", r"position 1 \(code of an activation\)"),
        ("Genotype(recurrent=[('tanh', 0), ('relu', 1)], concat=[1])", r"`concat`"),
        ('{"first": "tanh", "output": "all", "nodes": [{"activation": "tanh"}]}', r"`nodes` in node 1"),
        ("tanh(0) -> some", r"`output`"),
    ],
)
def test_what_is_wrong_is_named(text, message):
    with pytest.raises(ValueError, match=message):
        RecurrentCell.parse(text)


def test_cells_of_another_space_are_refused():
    with pytest.raises(ValueError, match="Expected 3 nodes, output all, tanh for s0. Received: 2 nodes"):
        RecurrentSpace(3).parse("tanh(0); relu(1)")
    with pytest.raises(ValueError, match="relu for s0"):
        RecurrentSpace(1).parse("s0=relu; tanh(0)")


def test_renumbered_nodes_have_the_same_key_and_features():
    space, rng = RecurrentSpace(6), np.random.default_rng(0)
    for _ in range(50):
        cell = space.sample(rng)
        order = [0]  # another order in which every node comes after the one that it reads
        while len(order) < 7:
            ready = [n for n in range(1, 7) if n not in order and cell.inputs[n - 1] in order]
            order.append(int(rng.choice(ready)))
        place = {node: number for number, node in enumerate(order)}
        nodes = [RecurrentNode(cell.activations[n], place[cell.inputs[n - 1]]) for n in order[1:]]
        other = RecurrentCell(tuple(nodes))
        assert space.key(other) == space.key(cell)
        assert np.array_equal(space.features(other), space.features(cell))
    assert space.key(space.parse("tanh(0); relu(1); relu(1); relu(1); relu(1); relu(1)")) != space.key(
        space.parse("tanh(0); relu(1); relu(1); relu(1); relu(1); relu(2)")
    )


def test_features_mean_what_their_names_say():
    space = RecurrentSpace(5, choose_first=True)
    cell = space.parse("s0=relu; tanh(0); relu(1); relu(2); sigmoid(1); tanh(0)")
    named = dict(zip(space.feature_names(), space.features(cell).tolist(), strict=True))
    assert named["tanh"] == named["relu"] == 2 and named["sigmoid"] == 1 and named["s0=relu"] == 1
    assert named["relu unused"] == named["sigmoid unused"] == named["tanh unused"] == 1
    assert named["relu > tanh"] == 2 and named["tanh > relu"] == 1 and named["relu > relu"] == 1
    assert named["nodes at depth 1"] == named["nodes at depth 2"] == 2 and named["nodes at depth 3"] == 1
    assert named["depth"] == 3 and named["unused nodes"] == 3 and named["uses of s0"] == named["largest reuse"] == 2


def test_no_two_of_all_cells_of_three_nodes_share_a_key_but_renumberings():
    # Trees of three nodes below s0 whose nodes have one of four activations, counted by Polya's theorem: a chain of
    # three 4^3; s0 - node - two nodes 4 * 10; two children of s0, one with a child 4 * 16; three children of s0: 20.
    space = RecurrentSpace(3)
    cells = {space.key(space.decode(tokens)) for tokens in _all(space)}
    assert len(cells) == 64 + 40 + 64 + 20
    assert len(ACTIVATIONS) == 4


def _all(space, tokens=()):
    actions = space.legal_actions(tokens)
    if not actions:
        yield tokens
    for action in actions:
        yield from _all(space, (*tokens, action))


def test_all_four_activations_and_all_earlier_states_are_drawn():
    # ENAS's published controller was built with two of its four activations.
    space, rng = RecurrentSpace(4), np.random.default_rng(0)
    cells = [space.sample(rng) for _ in range(300)]
    assert {name for cell in cells for name in cell.activations[1:]} == set(ACTIVATIONS)
    assert {cell.inputs[3] for cell in cells} == {0, 1, 2, 3}
