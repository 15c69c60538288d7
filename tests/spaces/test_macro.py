"""The macro space: size, the integers of ENAS, errors that say what is legal where."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from alphaxenas.spaces import MACRO_OPERATIONS, MacroArchitecture, MacroLayer, MacroSpace
from alphaxenas.spaces.drawing.registry import draw

SPACE = MacroSpace()


def test_size_is_the_published_one():
    assert SPACE.size() == 6**12 * 2**66
    assert SPACE.max_length == 12 + 66
    assert MACRO_OPERATIONS == ("conv3x3", "sep3x3", "conv5x5", "sep5x5", "avgpool3x3", "maxpool3x3")


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32))
def test_integers_lose_nothing(seed):
    one = SPACE.sample(np.random.default_rng(seed))
    text = one.to_integers()
    assert len(text.split()) == 78
    assert (
        MacroArchitecture.from_integers(text) == SPACE.parse(text) == SPACE.parse(f"[{text[:71]}\n{text[71:]}]") == one
    )


def test_integers_have_the_meaning_that_enas_gives_them():
    assert str(MacroArchitecture.from_integers("0 1 0 4 1 1")) == "conv3x3; sep3x3; avgpool3x3(stem,l0)"
    assert str(MacroArchitecture.from_integers("5 3 1 2 0 1")) == "maxpool3x3; sep5x5(stem); conv5x5(l0)"


@pytest.mark.parametrize(
    "text, says",
    [
        ("6", "position 0 (operation of layer 0). Expected 0 to 5. Received: 6"),
        ("0 1 2", "position 2 (skip from stem to layer 1). Expected 0 to 1. Received: 2"),
        ("0 1 0 4 1 -1", "position 5 (skip from l0 to layer 2). Expected 0 to 1. Received: -1"),
        ("0 1", "1, 3, 6, ..., 78"),
        ("", "1, 3, 6, ..., 78"),
    ],
)
def test_an_illegal_integer_is_named_with_what_is_legal_there(text, says):
    with pytest.raises(ValueError) as error:
        MacroArchitecture.from_integers(text)
    assert says in str(error.value)


@pytest.mark.parametrize(
    "text, says",
    [
        ("conv3x3; sep9x9", "layer l1"),
        ("conv3x3; sep3x3(l0)", "Expected one of stem"),
        ("conv3x3(stem)", "there is no earlier output"),
        ("conv3x3; sep3x3(stem,stem)", "each at most once"),
        ("conv3x3; ; sep3x3", "Expected text such as"),
        ('{"layers": 3}', '{"layers": [...]}'),
        ('{"layers": [{"operation": "conv3x3"}]}', "an object with operation and skips"),
        ("{", "valid JSON"),
    ],
)
def test_bad_text_is_refused_with_the_way_out(text, says):
    with pytest.raises(ValueError) as error:
        MacroArchitecture.parse(text)
    assert says in str(error.value)


def test_an_architecture_must_fit_its_space_and_have_layers():
    with pytest.raises(ValueError, match="12 layers"):
        SPACE.encode(MacroArchitecture((MacroLayer("conv3x3"),)))
    with pytest.raises(ValueError, match="at least one layer"):
        MacroArchitecture(())
    with pytest.raises(ValueError, match="`layers`"):
        MacroSpace(0)


def test_features_are_one_to_one_with_architectures_and_grouped():
    space, rng = MacroSpace(4), np.random.default_rng(0)
    found = {space.key(one): space.features(one).tobytes() for one in (space.sample(rng) for _ in range(300))}
    assert len(set(found.values())) == len(found)
    groups = space.feature_groups()
    one = space.features(space.parse("conv3x3; sep3x3(stem); conv3x3(l0); sep3x3(stem,l0)"))
    named = dict(zip(space.feature_names(), one.tolist(), strict=True))
    assert named["l1=sep3x3"] == named["stem > l1"] == named["l0 > l3"] == 1 and named["l2=sep3x3"] == 0
    assert named["stem > l2"] == named["l1 > l3"] == 0 and named["number of conv3x3"] == 2
    assert one[groups["counts"][0]].tolist() == [2, 2, 0, 0, 0, 0, 4, 1 + 1 + 3 + 2]


def test_the_picture_has_a_box_per_layer_and_an_arc_per_skip():
    axes = Figure(figsize=(9, 4)).add_subplot()
    before = len(axes.patches)
    space = MacroSpace(3)
    draw(space, space.parse("conv3x3; sep3x3; avgpool3x3"), axes)
    chain = len(axes.patches) - before
    axes = Figure(figsize=(9, 4)).add_subplot()
    draw(space, space.parse("conv3x3; sep3x3(stem); avgpool3x3(stem,l0)"), axes)
    assert len(axes.patches) - before == chain + 3 * 3
