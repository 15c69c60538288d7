"""Pickled files are read as data: nothing in them runs, and whatever they hold ends in data or in a clear error."""

import os
import pickle
import struct
import tracemalloc

import numpy as np
import pytest

from alphaxenas.data.download import DataError
from alphaxenas.data.plain_pickle import read_plain_pickle

PLAIN = (dict, list, tuple, bytes, str, int, float, bool, type(None))
CONTENT = {
    b"batch_label": b"training batch 1 of 5",
    b"labels": [3, 255, 256, 70_000, -1, 2**40],
    b"data": np.arange(60, dtype=np.uint8).reshape(4, 15),
    b"filenames": [b"leptodactylus_pentadactylus_s_000004.png", "Froschlöffel"],
    b"more": {"mean": 0.25, "known": True, "nothing": None, "pair": (1, 2, 3, 4)},
}


def python2(rows):
    """Bytes as Python 2 wrote CIFAR's files: protocol 2, strings of bytes."""
    data = rows.tobytes()
    shape = b"M" + struct.pack("<H", rows.shape[0]) + b"M" + struct.pack("<H", rows.shape[1]) + b"\x86"
    return (
        b"\x80\x02}q\x01(U\x04dataq\x02cnumpy.core.multiarray\n_reconstruct\nq\x03cnumpy\nndarray\nq\x04K\x00\x85U\x01b"
        b"\x87Rq\x05(K\x01" + shape + b"cnumpy\ndtype\nq\x06U\x02u1K\x00K\x01\x87Rq\x07(K\x03U\x01|NNNJ\xff\xff\xff\xff"
        b"J\xff\xff\xff\xffK\x00tb\x89T" + struct.pack("<i", len(data)) + data + b"tb"
        b"U\x06labelsq\x08]q\x09(K\x03K\x05eu."
    )


def read(place, content):
    file = place / "batch"
    file.write_bytes(content)
    return read_plain_pickle(file)


def same(one, other):
    if isinstance(one, np.ndarray):
        return isinstance(other, np.ndarray) and one.dtype == other.dtype and np.array_equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list | tuple):
        return type(one) is type(other) and len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_plain_content_of_every_protocol_is_read(tmp_path, protocol):
    assert same(read(tmp_path, pickle.dumps(CONTENT, protocol)), CONTENT)


def test_what_python_2_wrote_is_read(tmp_path):
    rows = np.random.default_rng(0).integers(0, 256, (20, 3072)).astype(np.uint8)
    assert same(read(tmp_path, python2(rows)), {b"data": rows, b"labels": [3, 5]})


class Runs:
    def __init__(self, function, *given):
        self.given = (function, given)

    def __reduce__(self):
        return self.given


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize(
    "value",
    [
        Runs(os.mkdir, "made"),
        Runs(eval, "1"),
        {1, 2},
        range(3),
        1j,
        np.zeros(3),
        np.array([None]),
        np.dtype("f4"),
        {1: 2},
    ],
    ids=lambda value: type(value).__name__,
)
def test_anything_else_is_refused_and_nothing_runs(tmp_path, monkeypatch, value, protocol):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"batch cannot be read as plain data, at byte"):
        read(tmp_path, pickle.dumps({"x": value}, protocol))
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "cut short"),
        (b"cos\nsystem\n(S'touch made'\ntR.", "os.system"),
        (b"\x80\x02cbuiltins\neval\nU\x011\x85R.", "builtins.eval"),
        (b"\x80\x02c" + b"a" * 200, "does not end"),
        (b"\x80\x09}.", "protocol"),
        (b"\x80\x02]].", "one value"),
        (b"\x80\x02].", "not a dictionary"),
        (b"\x80\x02B\xff\xff\xff\x7f.", "cut short"),
        (b"\x80\x02T\xff\xff\xff\xff.", "cut short"),
        (b"\x80\x02}(]K\x01u.", "keys"),
        (b"\x80\x02h\x05.", "no value number 5"),
        (b"\x80\x02e.", "mark"),
    ],
)
def test_damaged_files_are_refused_with_the_reason(tmp_path, content, reason):
    with pytest.raises(DataError, match=reason):
        read(tmp_path, content)


def test_bytes_are_not_multiplied(tmp_path):
    long = b"X" + struct.pack("<I", 100_000) + b"a" * 100_000
    again = b"c_codecs\nencode\nh\x01X\x06\x00\x00\x00latin1\x86R"
    with pytest.raises(DataError, match="longer than the file"):
        read(tmp_path, b"\x80\x02}(U\x01a" + long + b"q\x01" + (b"U\x01b" + again) * 1_000 + b"u.")


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match="absent cannot be read: No such file"):
        read_plain_pickle(tmp_path / "absent")


def mutated(content, rng):
    """One to eight random changes: bytes replaced, taken out, repeated, or instructions put in."""
    changed = bytearray(content)
    for _ in range(rng.integers(1, 9)):
        place, kind = int(rng.integers(len(changed) + 1)), int(rng.integers(5))
        if kind == 0 and place < len(changed):
            changed[place] = int(rng.integers(256))
        elif kind == 1:
            del changed[place : place + int(rng.integers(1, 30))]
        elif kind == 2:
            changed[place:place] = changed[max(0, place - int(rng.integers(1, 60))) : place]
        elif kind == 3:
            changed[place:place] = bytes(rng.choice(np.frombuffer(b"()R}]ba.euscqhT\x93\x94\x85\x86", np.uint8), 3))
        else:
            changed[place:place] = [
                b"cos\nmkdir\n",
                b"U\x04made\x85R",
                b"\x8c\x02os\x8c\x05mkdir\x93",
                b"X\xff\xff\xff\xff",
            ][int(rng.integers(4))]
    return bytes(changed)


def all_plain(value, seen):
    if id(value) in seen:
        return True
    seen.add(id(value))
    if isinstance(value, np.ndarray):
        return value.dtype == np.uint8
    if isinstance(value, dict):
        return all(type(key) in (str, bytes) and all_plain(each, seen) for key, each in value.items())
    return type(value) in PLAIN and (type(value) not in (list, tuple) or all(all_plain(each, seen) for each in value))


@pytest.mark.parametrize("count", [500, pytest.param(10_000, marks=pytest.mark.slow)])
def test_mutated_files_end_in_data_or_a_clear_error(tmp_path, monkeypatch, count):
    monkeypatch.chdir(tmp_path)
    rng, whole = np.random.default_rng(0), 0
    rows = rng.integers(0, 256, (3, 40)).astype(np.uint8)
    originals = [python2(rows), *(pickle.dumps(CONTENT, protocol) for protocol in (2, 3, 4, 5))]
    tracemalloc.start()
    for number in range(count):
        content = mutated(originals[number % len(originals)], rng)
        try:
            found = read(tmp_path, content)
        except DataError as error:
            assert "batch cannot be read as plain data" in str(error)
        else:
            whole += 1
            assert all_plain(found, set())
    largest = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 0 < whole < count
    assert largest < 1 << 20, "the files have less than 2,000 bytes each"
    assert {path.name for path in tmp_path.iterdir()} == {"batch"}, "nothing was made"
