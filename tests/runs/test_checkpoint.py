"""Checkpoints come back exactly, or not at all."""

import errno
import logging
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from alphaxenas.runs import Checkpoints, StorageError
from alphaxenas.runs.checkpoint import pack, read_checkpoint, unpack

JSON_VALUES = (
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=5)
)
ARRAYS = arrays.arrays(
    st.sampled_from([np.float32, np.float64, np.float16, np.int64, np.uint8, np.bool_]),
    arrays.array_shapes(min_dims=0, min_side=0),
)
STATES = st.dictionaries(
    st.text(max_size=5),
    st.recursive(
        JSON_VALUES | ARRAYS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=8,
    ),
    max_size=4,
)


def equal(first, second):
    if isinstance(first, np.ndarray):
        return (
            isinstance(second, np.ndarray)
            and first.dtype == second.dtype
            and first.shape == second.shape
            and first.tobytes() == second.tobytes()
        )
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(equal(first[key], second[key]) for key in first)
    if isinstance(first, list):
        return len(first) == len(second) and all(map(equal, first, second))
    return type(first) is type(second) and first == second


@given(STATES)
def test_nested_states_come_back_bit_for_bit(state):
    assert equal(state, unpack(pack(state)))


def test_the_same_state_gives_the_same_bytes():
    assert pack({"a": np.arange(4), "b": [1, "x"]}) == pack({"a": np.arange(4), "b": [1, "x"]})


@pytest.mark.parametrize(
    "state, where",
    [
        ({"a": {"b": {1: 2}}}, r"state\.a\.b"),
        ({"a": [object()]}, r"state\.a\[0\]"),
        ({"a": np.array(["text"])}, r"state\.a"),
        ({"a": np.array([None])}, r"state\.a"),
        ({"__array__": 1}, "state"),
    ],
)
def test_what_is_neither_number_array_nor_json_is_refused_with_its_place(state, where):
    with pytest.raises(TypeError, match=where):
        pack(state)


def test_the_newest_is_loaded_and_two_are_kept(tmp_path):
    checkpoints = Checkpoints(tmp_path / "checkpoints")
    assert checkpoints.load() is None
    for step in range(12):
        checkpoints.save(step, {"step": np.full(3, step)})
    step, state = checkpoints.load()
    assert step == 11 and state["step"].tolist() == [11, 11, 11]
    assert len(list(checkpoints.folder.iterdir())) == 2


def damage(path, how):
    data = bytearray(path.read_bytes())
    if how == "truncated":
        data = data[: len(data) // 2]
    elif how == "empty":
        data = b""
    else:
        data[int(how * (len(data) - 1))] ^= 4
    path.write_bytes(data)


@pytest.mark.parametrize("how", ["truncated", "empty", 0.0, 0.2, 0.5, 0.8, 1.0])
def test_a_damaged_newest_one_is_named_and_the_one_before_is_used(tmp_path, caplog, how):
    checkpoints = Checkpoints(tmp_path)
    for step in (1, 2):
        newest = checkpoints.save(step, {"weights": np.random.default_rng(step).normal(size=100)})
    damage(newest, how)
    with caplog.at_level(logging.WARNING):
        step, state = checkpoints.load()
    assert step == 1 and (state["weights"] == np.random.default_rng(1).normal(size=100)).all()
    assert str(newest) in caplog.text and "damaged" in caplog.text


def test_after_a_damaged_one_the_same_steps_are_saved_again(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    for step in (1, 2):
        newest = checkpoints.save(step, {"step": step})
    damage(newest, "truncated")
    checkpoints.save(2, {"step": 2})
    assert checkpoints.load() == (2, {"step": 2})
    assert sorted(path.name[:14] for path in tmp_path.iterdir()) == ["step-000000001", "step-000000002"]


def test_going_back_drops_the_later_ones_that_could_not_be_used(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    for step in (1, 2):
        newest = checkpoints.save(step, {"step": step})
    damage(newest, 0.5)
    checkpoints.save(1, {"step": "again"})
    assert checkpoints.load() == (1, {"step": "again"})


def test_all_damaged_is_as_none(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    for step in (1, 2):
        checkpoints.save(step, {"step": step})
    for path in tmp_path.iterdir():
        damage(path, 0.5)
    assert checkpoints.load() is None


def test_one_ahead_of_the_journal_is_passed_over(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    for step in (1, 2):
        checkpoints.save(step, {"step": step})
    assert checkpoints.load(up_to=1) == (1, {"step": 1})


@pytest.mark.parametrize("call", ["write", "fsync", "replace"])
def test_a_full_disk_keeps_the_earlier_ones_and_says_so(tmp_path, monkeypatch, call):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(1, {"step": 1})
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full(*arguments, **named):
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, call, full)
    with pytest.raises(StorageError, match="No space left.*stored before is untouched"):
        checkpoints.save(2, {"step": 2})
    monkeypatch.undo()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_leftovers_of_a_kill_are_swept_up(tmp_path):
    (tmp_path / ".step-000000001-0123456789abcdef.npz.tmp").write_bytes(b"half")
    checkpoints = Checkpoints(tmp_path)
    assert checkpoints.load() is None
    checkpoints.save(1, {"step": 1})
    assert len(list(tmp_path.iterdir())) == 1


def test_one_file_is_read_wherever_it_lies_and_refused_when_it_is_something_else(tmp_path):
    path = Checkpoints(tmp_path / "run").save(3, {"weights": np.arange(3)})
    moved = tmp_path / path.name
    path.rename(moved)
    np.testing.assert_array_equal(read_checkpoint(moved)["weights"], np.arange(3))
    with pytest.raises(ValueError, match="Expected a checkpoint.*model.keras"):
        read_checkpoint(tmp_path / "model.keras")
    moved.write_bytes(moved.read_bytes()[:-1])
    with pytest.raises(ValueError, match="damaged or unreadable: its checksum differs"):
        read_checkpoint(moved)
    with pytest.raises(ValueError, match="unreadable"):
        read_checkpoint(tmp_path / f"step-000000004-{'0' * 16}.npz")
