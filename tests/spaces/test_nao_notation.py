"""NAO's graphs and tokens: both ways without loss, and errors that name the position and what is legal there."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alphaxenas.spaces.canonical import canonical_form
from alphaxenas.spaces.forms.nao_notation import (
    FIRST_KIND,
    FIRST_SIZE,
    KINDS,
    NAO_OPERATIONS,
    SIZES,
    from_nao_graph,
    from_nao_tokens,
)
from alphaxenas.spaces.micro import MicroArchitecture, MicroSpace
from alphaxenas.spaces.parse_any import parse_architecture
from alphaxenas.spaces.zoo import zoo_cell

SPACE = MicroSpace(5, NAO_OPERATIONS)
# As the published code lists them, beside its vocabulary.
AMOEBANET_A = (
    "1 11 16 1 12 16 3 11 16 1 8 16 4 11 16 1 8 16 2 8 16 2 7 14 2 11 16 1 7 14 "
    "1 11 16 2 8 16 1 12 16 3 8 18 1 8 18 2 11 16 2 12 16 1 12 16 6 8 16 1 9 20"
)
AMOEBANET_B = (
    "1 8 16 2 7 14 2 12 16 2 9 14 2 9 14 1 8 16 4 7 14 4 9 14 2 11 16 6 9 14 "
    "1 12 15 1 12 16 3 10 17 3 12 16 3 7 14 2 9 16 4 11 16 5 9 14 5 7 14 2 8 16"
)
NASNET_A = (
    "2 8 16 2 7 14 1 8 16 2 8 17 2 11 16 1 7 14 1 11 16 1 11 16 1 8 17 1 8 16 "
    "1 8 18 2 8 17 2 12 16 1 8 18 2 11 16 1 8 17 2 12 16 3 8 16 3 11 16 4 7 14"
)


def nao_operation(name):
    """Kind and size of one of our operations."""
    kind = next(kind for kind, ours in KINDS.items() if name.startswith(ours))
    size = name.removeprefix(KINDS[kind]).replace("-", "+")
    return kind, size or "1x1"


def nao_graph(architecture):
    """The graph as NAO stores it."""
    graphs = {}
    for name, cell in zip(("conv_dag", "reduc_dag"), architecture.cells):
        nodes = {f"node_{number}": [f"node_{number}", None, None, None, None] for number in (1, 2)}
        for number, (input1, input2, *operations, _) in enumerate(cell.rows, start=3):
            sources = [f"node_{(2, 1)[source] if source < 2 else source + 1}" for source in (input1, input2)]
            written = [" ".join(nao_operation(one)) if one != "identity" else one for one in operations]
            nodes[f"node_{number}"] = [f"node_{number}", *sources, *written]
        graphs[name] = nodes
    return graphs


def nao_tokens(architecture):
    """The tokens as NAO prints them."""
    tokens = []
    for cell in architecture.cells:
        for input1, input2, operation1, operation2, _ in cell.rows:
            for source, operation in ((input1, operation1), (input2, operation2)):
                kind, size = nao_operation(operation)
                tokens += [(2, 1)[source] if source < 2 else source + 1]
                tokens += [FIRST_KIND + list(KINDS).index(kind), FIRST_SIZE + SIZES.index(size)]
    return " ".join(map(str, tokens))


def test_there_are_nineteen_operations():
    assert len(set(NAO_OPERATIONS)) == 19
    assert {"conv1x3-3x1", "conv1x7-7x1", "dilsep7x7", "minpool2x2", "maxpool7x7", "avgpool5x5", "identity"} <= set(
        NAO_OPERATIONS
    )
    assert SPACE.size() == (720**2 * 19**10) ** 2


@given(st.integers(0, 2**32 - 1))
def test_every_architecture_survives_graph_and_tokens(seed):
    architecture = SPACE.sample(np.random.default_rng(seed))
    assert from_nao_graph(json.dumps(nao_graph(architecture))) == architecture
    written = nao_tokens(architecture)
    assert len(written.split()) == 60 and from_nao_tokens(written) == architecture


@pytest.mark.parametrize("name, published", [("amoebanet_b", AMOEBANET_B), ("nasnet_a", NASNET_A)])
def test_published_tokens_are_the_cells_of_the_zoo(name, published):
    assert nao_tokens(from_nao_tokens(published)) == published
    assert SPACE.key(from_nao_tokens(published)) == SPACE.key(zoo_cell(name).architecture)


def test_the_published_amoebanet_a_differs_from_naos_tokens_in_one_node():
    """NAO's own two lists disagree: its tokens pool where its graph and the paper have a 5x5 separable convolution."""
    ours, theirs = zoo_cell("amoebanet_a").architecture, from_nao_tokens(AMOEBANET_A)
    assert SPACE.key(MicroArchitecture(theirs.normal, theirs.reduction)) != SPACE.key(ours)
    assert canonical_form(ours.reduction.rows) == canonical_form(theirs.reduction.rows)


def test_naonet_is_the_published_graph():
    graph = nao_graph(zoo_cell("naonet").architecture)
    assert graph["conv_dag"]["node_4"] == ["node_4", "node_3", "node_2", "conv 1x3+3x1", "conv 3x3"]
    assert graph["reduc_dag"]["node_5"] == ["node_5", "node_2", "node_1", "conv 1x7+7x1", "max_pool 2x2"]


def test_both_forms_are_recognised():
    naonet = zoo_cell("naonet").architecture
    assert parse_architecture(nao_tokens(naonet)) == parse_architecture(json.dumps(nao_graph(naonet))) == naonet


def changed(at, token):
    tokens = AMOEBANET_B.split()
    return " ".join([*tokens[:at], str(token), *tokens[at + 1 :]])


@pytest.mark.parametrize(
    "text, parts",
    [
        (AMOEBANET_B[:-3], ["60 for five nodes", "59 words"]),
        ("", ["60 for five nodes"]),
        (changed(0, 3), ["position 0", "input of node_3 of the normal cell", "1 to 2", "Received: 3"]),
        (changed(36, 6), ["position 36", "input of node_4 of the reduction cell", "1 to 3", "Received: 6"]),
        (changed(4, 16), ["position 4", "kind of node_3", "7 to 13"]),
        (changed(2, 15), ["position 2", "size of node_3 of the normal cell, sep_conv", "16, 17, 18", "Received: 15"]),
        (changed(5, 16), ["position 5", "identity", "Expected 14"]),
    ],
)
def test_wrong_tokens_are_refused_with_their_position(text, parts):
    with pytest.raises(ValueError) as caught:
        from_nao_tokens(text)
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.parametrize(
    "node, position, value, parts",
    [
        ("node_4", 3, "conv 9x9", ["`operation` in node_4 of conv_dag", "conv 1x3+3x1", "'conv 9x9'"]),
        ("node_4", 1, "node_5", ["`input` in node_4 of conv_dag", "node_1, node_2, node_3"]),
        ("node_4", 0, "node_3", ["`node_4` of conv_dag"]),
    ],
)
def test_wrong_graphs_are_refused_with_their_node(node, position, value, parts):
    graph = nao_graph(zoo_cell("naonet").architecture)
    graph["conv_dag"][node][position] = value
    with pytest.raises(ValueError) as caught:
        from_nao_graph(json.dumps(graph))
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.parametrize(
    "content", ["{", "{}", '{"conv_dag": {}}', '{"conv_dag": {}, "reduc_dag": {}}', '{"conv_dag": 3, "reduc_dag": 4}']
)
def test_what_is_no_graph_is_refused(content):
    with pytest.raises(ValueError, match="Expected"):
        from_nao_graph(content)
