"""The micro space: size, keys, the integers of ENAS and NAO, errors that say what is legal where."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from alphaxenas.spaces import ENAS_OPERATIONS, Block, Cell, MicroArchitecture, MicroSpace
from alphaxenas.spaces.canonical import canonical_form
from alphaxenas.spaces.drawing.registry import draw

SPACE = MicroSpace()
ONE = "prev:sep3x3 + prev2:identity / prev:maxpool3x3 + prev2:sep5x5"
seeds = st.integers(0, 2**32)


def mirrored(cell):
    return Cell(tuple(Block(b.input2, b.input1, b.operation2, b.operation1, "add") for b in cell.blocks))


def test_size_is_the_published_one():
    assert SPACE.size() == ((2 * 3 * 4 * 5 * 6) ** 2 * 25**5) ** 2 == 25628906250000000000000000
    assert SPACE.max_length == 40


@settings(max_examples=40, deadline=None)
@given(seeds)
def test_key_is_blind_to_the_order_of_inputs_and_sees_an_exchange_of_the_cells(seed):
    one = SPACE.sample(np.random.default_rng(seed))
    other = MicroArchitecture(mirrored(one.normal), mirrored(one.reduction))
    assert SPACE.key(one) == SPACE.key(other) and np.array_equal(SPACE.features(one), SPACE.features(other))
    standard = [canonical_form(cell.rows) for cell in one.cells]
    assert [cell.rows for cell in SPACE.parse(SPACE.key(one)).cells] == standard
    turned = MicroArchitecture(one.reduction, one.normal)
    assert (SPACE.key(one) == SPACE.key(turned)) == (standard[0] == standard[1])


def test_key_is_blind_to_the_numbering_of_nodes():
    space = MicroSpace(2)
    one = space.parse(
        "prev:sep3x3 + prev:sep3x3; prev2:identity + prev:sep5x5"
        " / prev:identity + prev:identity; b0:identity + prev:sep3x3"
    )
    two = space.parse(
        "prev2:identity + prev:sep5x5; prev:sep3x3 + prev:sep3x3"
        " / prev:identity + prev:identity; b0:identity + prev:sep3x3"
    )
    assert space.key(one) == space.key(two)


@settings(max_examples=40, deadline=None)
@given(seeds)
def test_integers_lose_nothing(seed):
    one = SPACE.sample(np.random.default_rng(seed))
    text = one.to_integers()
    assert len(text.split()) == 40
    assert (
        MicroArchitecture.from_integers(text) == SPACE.parse(text) == SPACE.parse(f"[{text[:37]}\n{text[37:]}]") == one
    )


def test_integers_have_the_meaning_that_enas_gives_them():
    # Node 0: input 1 is the previous cell, input 0 the one before; operations 0 sep3x3 ... 4 identity; node 1 reads
    # node 0.
    one = MicroArchitecture.from_integers("1 0 0 4  2 3 1 2   0 1 0 1  2 4 1 0")
    assert str(one) == (
        "prev:sep3x3 + prev2:identity; b0:maxpool3x3 + prev:avgpool3x3"
        " / prev2:sep5x5 + prev2:sep5x5; b0:identity + prev:sep3x3"
    )
    assert ENAS_OPERATIONS == ("sep3x3", "sep5x5", "avgpool3x3", "maxpool3x3", "identity")


@pytest.mark.parametrize(
    "text, says",
    [
        ("2 0 0 4 1 0 0 0", "position 0 (input of node 0 of the normal cell). Expected 0 to 1. Received: 2"),
        ("1 0 0 5 1 0 0 0", "position 3 (operation of node 0 of the normal cell). Expected 0 to 4. Received: 5"),
        ("1 0 0 4 1 0 -1 0", "position 6 (input of node 0 of the reduction cell). Expected 0 to 1. Received: -1"),
        ("1 0 0 4", "eight for every node"),
        ("", "eight for every node"),
    ],
)
def test_an_illegal_integer_is_named_with_what_is_legal_there(text, says):
    with pytest.raises(ValueError) as error:
        MicroArchitecture.from_integers(text)
    assert says in str(error.value)


@pytest.mark.parametrize(
    "text, says",
    [
        ("prev:sep3x3 + prev2:identity", "a slash"),
        ("prev:sep3x3 + prev2:identity / prev:maxpool3x3 + b0:sep5x5", "In the reduction cell"),
        ("prev:sep9x9 + prev2:identity / prev:maxpool3x3 + prev:sep5x5", "Did you mean 'sep"),
        ("prev:sep3x3 | prev2:identity / prev:maxpool3x3 + prev:sep5x5", "Expected one of add"),
        ('{"normal": {"blocks": []}}', '{"normal": ..., "reduction": ...}'),
        ("{", "valid JSON"),
    ],
)
def test_bad_text_is_refused_with_the_way_out(text, says):
    with pytest.raises(ValueError) as error:
        MicroArchitecture.parse(text)
    assert says in str(error.value)


def test_an_architecture_may_have_any_known_operation_and_any_number_of_nodes_but_must_fit_its_space():
    known = MicroArchitecture.parse(
        "prev:dilsep5x5 + prev2:conv1x7-7x1 / prev:minpool2x2 + prev2:sep5x5; b0:identity + b0:maxpool7x7"
    )
    assert MicroArchitecture.parse(known.to_json()) == known
    with pytest.raises(ValueError, match="5 blocks in the normal cell"):
        SPACE.encode(known)
    with pytest.raises(ValueError, match="operation.*block b0 of the normal cell"):
        MicroSpace(1).encode(MicroArchitecture(known.normal, known.normal))
    with pytest.raises(ValueError, match="`combination`"):
        MicroArchitecture(known.normal, Cell.parse("prev:sep3x3 | prev:sep3x3"))


@pytest.mark.parametrize("wrong", [{"blocks": 0}, {"operations": ("sep3x3", "sep3x3")}, {"operations": ("wavelet",)}])
def test_impossible_spaces_are_refused(wrong):
    with pytest.raises(ValueError, match="Invalid value for `" + next(iter(wrong))):
        MicroSpace(**wrong)


def test_features_have_names_and_groups():
    vector, names, groups = (
        SPACE.features(SPACE.sample(np.random.default_rng(0))),
        SPACE.feature_names(),
        SPACE.feature_groups(),
    )
    assert (
        len(vector) == len(names) == groups["flow"][0].stop == groups["reduction"][0].stop + 2
        and groups["normal"][0].stop == groups["reduction"][0].start
    )
    space = MicroSpace(1)
    one = space.features(space.parse(ONE))
    assert (
        one[space.feature_names().index("normal: sep3x3")] == 1
        and one[space.feature_names().index("reduction: sep3x3")] == 0
    )


def test_the_picture_has_both_cells_side_by_side():
    figure = Figure(figsize=(9, 3))
    axes = figure.add_subplot()
    draw(MicroSpace(1), MicroArchitecture.parse(ONE), axes)
    left, right = axes.child_axes
    assert left.get_position().x1 < right.get_position().x0
    assert all(len(part.patches) > 10 for part in (left, right))


def test_json_is_written_for_people():
    assert json.loads(MicroArchitecture.parse(ONE).to_json())["reduction"]["blocks"][0]["operations"] == [
        "maxpool3x3",
        "sep5x5",
    ]
