"""The spaces that a configuration or a record can name."""

import pytest

from alphaxenas.spaces import CellSpace, MacroSpace, MicroSpace
from alphaxenas.spaces.from_parameters import CHAIN_SPACES, SPACES, space_from_parameters

PARAMETERS = {
    "blocks": 2,
    "operations": ["conv3x3", "identity"],
    "combinations": ["add"],
    "layers": 2,
    "chain_skips": False,
}


@pytest.mark.parametrize(
    ("name", "space"),
    [("cell", CellSpace(2, ("conv3x3", "identity"), ("add",))), ("micro", MicroSpace(2)), ("macro", MacroSpace(2))],
)
def test_a_name_and_its_parameters_give_the_space(name, space):
    assert space_from_parameters(PARAMETERS | {"space": name}) == space


def test_every_name_gives_a_space_and_chains_know_their_layers():
    assert {name: space_from_parameters(PARAMETERS | {"space": name}).size() > 1 for name in SPACES} == dict.fromkeys(
        SPACES, True
    )
    assert [space_from_parameters(PARAMETERS | {"space": name}).layers for name in CHAIN_SPACES] == [2, 2]


def test_records_without_a_name_are_of_cells():
    assert space_from_parameters(PARAMETERS) == CellSpace(2, ("conv3x3", "identity"), ("add",))


def test_an_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(ValueError, match="`space`.*Did you mean 'micro'"):
        space_from_parameters(PARAMETERS | {"space": "mikro"})
