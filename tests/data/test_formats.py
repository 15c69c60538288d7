"""The readers take what publishers write and refuse everything else by name."""

import gzip
import io
import tarfile

import numpy as np
import pytest

from alphaxenas.data.download import DataError
from alphaxenas.data.formats import read_arrays, read_cifar, read_idx, unpack


def write_idx(path, array):
    header = bytes([0, 0, 8, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape)
    path.write_bytes(gzip.compress(header + array.tobytes()))


def write_tar(path, entries):
    with tarfile.open(path, "w:gz") as tar:
        for name, content in entries.items():
            if isinstance(content, bytes):
                member = tarfile.TarInfo(name)
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
            else:
                tar.addfile(content)


@pytest.mark.parametrize("label_bytes", [1, 2])
def test_cifar_planes_become_the_last_axis_and_the_last_label_counts(tmp_path, label_bytes):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (5, 32, 32, 3), np.uint8)
    labels = np.array([3, 1, 4, 1, 5])
    coarse = np.full((5, label_bytes - 1), 9)
    records = np.concatenate([coarse, labels[:, None], images.transpose(0, 3, 1, 2).reshape(5, -1)], axis=1)
    records.astype(np.uint8).tofile(tmp_path / "data.bin")
    received, received_labels = read_cifar(tmp_path / "data.bin", 5, label_bytes)
    np.testing.assert_array_equal(received, images)
    np.testing.assert_array_equal(received_labels, labels)
    assert received_labels.dtype == np.int32


def test_a_short_or_missing_cifar_file_is_named(tmp_path):
    (tmp_path / "short.bin").write_bytes(b"x" * 3_000)
    with pytest.raises(DataError, match=r"short\.bin is damaged.*3,073 bytes.*Received: 3,000"):
        read_cifar(tmp_path / "short.bin", 1, 1)
    with pytest.raises(DataError, match=r"none\.bin is missing"):
        read_cifar(tmp_path / "none.bin", 1, 1)


def test_idx_arrays_come_back_as_written(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (4, 28, 28), np.uint8)
    write_idx(tmp_path / "a.gz", images)
    np.testing.assert_array_equal(read_idx(tmp_path / "a.gz", (4, 28, 28)), images)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: content[: len(content) // 2],
        lambda content: b"no gzip at all",
        lambda content: b"",
        lambda content: content[:40] + bytes([content[40] ^ 255]) + content[41:],
        lambda content: gzip.compress(gzip.decompress(content)[:-1]),
        lambda content: gzip.compress(gzip.decompress(content) + b"x"),
        lambda content: gzip.compress(b"\0\0\x09" + gzip.decompress(content)[3:]),
    ],
)
def test_a_damaged_idx_file_is_named(tmp_path, spoil):
    path = tmp_path / "spoilt.gz"
    write_idx(path, np.random.default_rng(0).integers(0, 256, (4, 28, 28), np.uint8))
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(DataError, match=r"spoilt\.gz"):
        read_idx(path, (4, 28, 28))


@pytest.mark.parametrize("pixels", [np.arange(48) * 5, np.arange(48) * 5 / 255, np.arange(48, dtype=np.uint8) * 5])
def test_whole_numbers_fractions_and_bytes_are_the_same_pixels(tmp_path, pixels):
    np.savez(tmp_path / "own.npz", x=pixels.reshape(3, 4, 4), y=np.array([[0], [1], [1]]))
    images, labels, _ = read_arrays(tmp_path / "own.npz")
    np.testing.assert_array_equal(images.reshape(-1), np.arange(48) * 5)
    assert images.shape == (3, 4, 4, 1) and images.dtype == np.uint8
    assert labels.numbers.tolist() == [0, 1, 1] and labels.numbers.dtype == np.int32


IMAGES, LABELS = np.zeros((3, 4, 4), np.uint8), np.array([0, 1, 1])


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": IMAGES}, "lacks y"),
        ({"x": IMAGES[0], "y": LABELS}, "invalid shape of `x`.*Received: \\[4, 4\\]"),
        ({"x": IMAGES[:0], "y": LABELS[:0]}, "invalid shape"),
        ({"x": IMAGES + 300.0, "y": LABELS}, "invalid pixels"),
        ({"x": IMAGES - 1.0, "y": LABELS}, "invalid pixels"),
        ({"x": IMAGES + np.nan, "y": LABELS}, "invalid pixels"),
        ({"x": IMAGES.astype(int) + 256, "y": LABELS}, "invalid pixels"),
        ({"x": IMAGES.astype(str), "y": LABELS}, "Expected numbers"),
        ({"x": IMAGES, "y": LABELS[:2]}, "invalid `y`. Expected 3"),
        ({"x": IMAGES, "y": LABELS / 2}, "invalid `y`"),
        ({"x": IMAGES, "y": LABELS - 1}, "labels out of range"),
        ({"x": IMAGES, "y": np.array([0, {}, 1], object)}, "never loaded"),
        ({"x": IMAGES, "y": np.array(["a", "b", "b"], object)}, r"astype\(str\)"),
    ],
)
def test_unusable_arrays_are_refused_by_name(tmp_path, arrays, message):
    np.savez(tmp_path / "own.npz", **arrays)
    with pytest.raises(DataError, match=message):
        read_arrays(tmp_path / "own.npz")


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut short"])
def test_a_file_that_is_no_archive_of_arrays_is_refused(tmp_path, content):
    (tmp_path / "own.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"own\.npz"):
        read_arrays(tmp_path / "own.npz")


def test_a_single_array_and_a_missing_file_are_refused(tmp_path):
    with (tmp_path / "own.npz").open("wb") as stream:
        np.save(stream, IMAGES)
    with pytest.raises(DataError, match=r"own\.npz"):
        read_arrays(tmp_path / "own.npz")
    with pytest.raises(DataError, match=r"nothing\.npz"):
        read_arrays(tmp_path / "nothing.npz")


def test_only_the_wanted_files_are_unpacked(tmp_path):
    write_tar(tmp_path / "a.tar.gz", {"set/one.bin": b"1", "set/two.bin": b"2", "set/readme.html": b"r"})
    (tmp_path / "out").mkdir()
    unpack(tmp_path / "a.tar.gz", tmp_path / "out", ["one.bin", "two.bin"])
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == {"one.bin": b"1", "two.bin": b"2"}


def link(name, target, kind=tarfile.SYMTYPE):
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


@pytest.mark.parametrize(
    "entries",
    [
        {"../one.bin": b"1"},
        {"/one.bin": b"1"},
        {"set/../../one.bin": b"1"},
        {"set/one.bin": link("set/one.bin", "/etc/passwd")},
        {"set/one.bin": link("set/one.bin", "../../secret", tarfile.LNKTYPE)},
        {"set/one.bin": link("set/one.bin", "", tarfile.FIFOTYPE)},
        {"set/one.bin": b"1", "set/evil": link("set/evil", "/")},
    ],
)
def test_an_archive_that_reaches_outside_is_refused(tmp_path, entries):
    write_tar(tmp_path / "a.tar.gz", entries)
    (tmp_path / "out").mkdir()
    with pytest.raises(DataError, match="unsafe entry"):
        unpack(tmp_path / "a.tar.gz", tmp_path / "out", ["one.bin"])
    assert list((tmp_path / "out").iterdir()) == []


def test_a_cut_archive_and_a_missing_member_are_named(tmp_path):
    write_tar(tmp_path / "a.tar.gz", {"set/one.bin": np.random.default_rng(0).bytes(100_000)})
    (tmp_path / "out").mkdir()
    with pytest.raises(DataError, match=r"lacks two\.bin"):
        unpack(tmp_path / "a.tar.gz", tmp_path / "out", ["one.bin", "two.bin"])
    content = (tmp_path / "a.tar.gz").read_bytes()
    (tmp_path / "a.tar.gz").write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=r"a\.tar\.gz is damaged"):
        unpack(tmp_path / "a.tar.gz", tmp_path / "out", ["one.bin"])
