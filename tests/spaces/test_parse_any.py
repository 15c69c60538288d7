"""An architecture is read from whatever form it is written in."""

import pytest

from alphaxenas.spaces.cell import Cell
from alphaxenas.spaces.micro import MicroArchitecture
from alphaxenas.spaces.parse_any import parse_architecture
from alphaxenas.spaces.zoo import zoo_cell, zoo_names

ENAS = "0 2 0 0 0 4 0 1 0 4 1 1 1 0 0 1 0 2 1 1\n1 0 1 0 0 3 0 2 1 1 3 1 1 0 0 4 0 3 1 1"
PAIR = "prev:sep3x3 + prev2:identity / prev:maxpool3x3 + prev2:dilsep5x5"


@pytest.mark.parametrize("name", zoo_names())
def test_a_name_of_the_zoo_with_and_without_prefix(name):
    assert parse_architecture(name) == parse_architecture(f" zoo:{name}\n") == zoo_cell(name)


def test_a_cell_as_text_and_json():
    cell = Cell.parse("prev:conv3x3 + prev2:sep5x5; b0:identity | prev:maxpool3x3")
    assert parse_architecture(cell.to_text()) == parse_architecture(cell.to_json()) == cell


def test_a_pair_of_cells_as_text_and_json():
    pair = MicroArchitecture.parse(PAIR)
    assert parse_architecture(PAIR) == parse_architecture(pair.to_json()) == pair


@pytest.mark.parametrize("written", [ENAS, f"[{ENAS}]", ENAS.replace(" ", ", ")])
def test_the_integers_of_enas_and_nao(written):
    assert parse_architecture(written) == zoo_cell("enas").architecture
    assert zoo_cell("enas").architecture.to_integers() == " ".join(ENAS.split())


@pytest.mark.parametrize(
    "written, parts",
    [
        (" ".join(ENAS.split()[:-1]), ["40 for five nodes", "39 words"]),
        (
            ENAS.replace("4 0 3 1 1", "4 0 3 1 5"),
            ["position 39", "operation of node 4 of the reduction cell", "0 to 4", "Received: 5"],
        ),
        (
            ENAS.replace("0 2 0 0", "2 2 0 0"),
            ["position 0", "input of node 0 of the normal cell", "0 to 1", "Received: 2"],
        ),
        (
            "prev:sep4x4 + prev2:identity / prev:identity + prev2:identity",
            ["normal cell", "block b0", "sep3x3", "'sep4x4'"],
        ),
        (
            "prev:sep3x3 + b0:identity / prev:identity + prev2:identity",
            ["normal cell", "block b0", "prev, prev2", "'b0'"],
        ),
        (
            "prev2:sep3x3 + prev2:identity; b0:sep3x3 + prev2:identity / prev:identity + prev2:identity",
            ["normal cell", "ignores", "b1 reads b0, prev2"],
        ),
        ("0 1 0 1 1 1 1 1", ["normal cell that reads the previous cell", "ignores"]),
        ("1 1 1 1 0 1 0 1", ["reduction cell that reads the previous cell"]),
        ("darts_v9", ["darts_v2"]),
        ("zoo:", ["darts_v2"]),
        ("{", ["JSON"]),
        ("", ["Expected text such as"]),
        ("prev:conv3x3", ["block b0"]),
    ],
)
def test_what_is_wrong_is_named_with_what_is_legal(written, parts):
    with pytest.raises(ValueError) as caught:
        parse_architecture(written)
    for part in parts:
        assert part in str(caught.value)
