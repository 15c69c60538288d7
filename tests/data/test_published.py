"""Publishers' layouts on small copies: the folder is used before the archive, the archive before the network."""

import gzip
import hashlib
import io
import os
import pickle
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import requests

from alphaxenas.data import download, published
from alphaxenas.data.download import DataError, RemoteFile
from alphaxenas.data.images import load_data
from alphaxenas.data.published import PUBLISHED, read_digits

RECORDS, TEST_RECORDS = 40, 20


@pytest.fixture(autouse=True)
def keras(tmp_path, monkeypatch):
    """No data set of this machine's user is found."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    return tmp_path / "keras" / "datasets"


def offline(url, stream, _):
    raise requests.ConnectionError(f"the network was asked for {url}")


def cifar_records(count, label_bytes, seed):
    records = np.random.default_rng(seed).integers(0, 256, (count, 3072 + label_bytes), np.uint8)
    records[:, :label_bytes] = (np.arange(count) % 10)[:, None]
    return records.tobytes()


def small_cifar(name):
    """A CIFAR with few records, and the bytes of its archive."""
    real = PUBLISHED[name]
    files = {file: cifar_records(RECORDS, real.label_bytes, seed) for seed, file in enumerate(real.train_files)}
    files[real.test_file] = cifar_records(TEST_RECORDS, real.label_bytes, 99)
    files[real.names_file] = "\n".join(f"class{number}" for number in range(10)).encode() + b"\n\n"
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for file, content in files.items():
            member = tarfile.TarInfo(f"{real.folder}/{file}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    content = stream.getvalue()
    archive = RemoteFile(real.archive.name, real.archive.url, len(content), hashlib.sha256(content).hexdigest())
    return replace(real, archive=archive, records=RECORDS, test_records=TEST_RECORDS), content


def serve(contents):
    return lambda url, stream, _: stream.write(contents[url])


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_cifar_is_fetched_once_and_then_used_without_network(tmp_path, name):
    small, content = small_cifar(name)
    fetched = small.read(tmp_path, serve({small.archive.url: content}))
    assert fetched.images.shape == (RECORDS * len(small.train_files), 32, 32, 3)
    assert fetched.test_images.shape == (TEST_RECORDS, 32, 32, 3)
    assert fetched.class_names[3] == "class3" and len(fetched.class_names) == 10
    assert fetched.labels[:3].tolist() == [0, 1, 2] and fetched.flip
    assert not list(tmp_path.glob(".*")) and not list(tmp_path.glob("*.part"))
    (tmp_path / small.archive.name).unlink()
    again = small.read(tmp_path, offline)
    np.testing.assert_array_equal(again.images, fetched.images)


def test_an_archive_in_the_folder_is_unpacked_without_network(tmp_path):
    small, content = small_cifar("cifar10")
    (tmp_path / small.archive.name).write_bytes(content)
    # What a process killed while unpacking leaves behind does no harm.
    (tmp_path / f".{small.folder}.part").mkdir()
    (tmp_path / f".{small.folder}.part" / "data_batch_1.bin").write_bytes(b"half")
    assert len(small.read(tmp_path, offline).images) == 5 * RECORDS
    assert sorted(path.name for path in tmp_path.iterdir()) == [small.folder, small.archive.name]


@pytest.mark.parametrize("spoil", [lambda content: content[:-10], lambda content: content[:-1] + b"!"])
def test_a_damaged_archive_is_named_and_makes_no_folder(tmp_path, spoil, monkeypatch):
    monkeypatch.setattr(download, "PAUSE_SECONDS", 0.0)
    small, content = small_cifar("cifar10")
    (tmp_path / small.archive.name).write_bytes(spoil(content))
    with pytest.raises(DataError, match=r"cifar-10-binary\.tar\.gz is damaged.*the network was asked.*put the file at"):
        small.read(tmp_path, offline)
    assert sorted(path.name for path in tmp_path.iterdir()) == [small.archive.name]


def test_a_full_disk_while_unpacking_leaves_no_folder(tmp_path, monkeypatch):
    small, content = small_cifar("cifar10")
    (tmp_path / small.archive.name).write_bytes(content)

    def full_disk(archive, folder, names):
        (folder / "data_batch_1.bin").write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(published, "unpack", full_disk)
    with pytest.raises(OSError, match="No space left"):
        small.read(tmp_path, offline)
    assert sorted(path.name for path in tmp_path.iterdir()) == [small.archive.name]


def test_a_folder_that_lacks_a_file_names_it(tmp_path):
    small, content = small_cifar("cifar10")
    small.read(tmp_path, serve({small.archive.url: content}))
    (tmp_path / small.folder / "data_batch_3.bin").unlink()
    with pytest.raises(DataError, match=r"data_batch_3\.bin is missing"):
        small.read(tmp_path, offline)


def idx(array):
    return bytes([0, 0, 8, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape) + array.tobytes()


def small_mnist(name):
    """An MNIST with few images, its arrays, and the content of its files by address."""
    real = PUBLISHED[name]
    rng = np.random.default_rng(0)
    arrays = [
        rng.integers(0, 256, (RECORDS, 28, 28), np.uint8),
        np.arange(RECORDS, dtype=np.uint8) % 10,
        rng.integers(0, 256, (TEST_RECORDS, 28, 28), np.uint8),
        np.arange(TEST_RECORDS, dtype=np.uint8) % 10,
    ]
    contents = {file.url: gzip.compress(idx(array)) for file, array in zip(real.files, arrays, strict=True)}
    files = tuple(
        replace(file, size=len(contents[file.url]), sha256=hashlib.sha256(contents[file.url]).hexdigest())
        for file in real.files
    )
    return replace(real, files=files, records=(RECORDS, TEST_RECORDS)), arrays, contents


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_the_mnists_are_fetched_into_their_folder_and_then_used_without_network(tmp_path, name):
    small, arrays, contents = small_mnist(name)
    small.read(tmp_path, serve(contents))
    again = small.read(tmp_path, offline)
    np.testing.assert_array_equal(again.images[..., 0], arrays[0])
    np.testing.assert_array_equal(again.test_labels, arrays[3])
    assert len(list((tmp_path / small.folder).iterdir())) == 4


@pytest.mark.parametrize("where", ["packed", "unpacked", "torchvision", "keras"])
def test_the_mnists_are_read_where_they_lie(tmp_path, keras, where):
    name = "fashion_mnist" if where == "keras" else "mnist"
    small, arrays, contents = small_mnist(name)
    places = {
        "packed": tmp_path / small.folder,
        "unpacked": tmp_path / small.folder,
        "torchvision": tmp_path / small.also,
        "keras": keras / "fashion-mnist",
    }
    places[where].mkdir(parents=True)
    for file in small.files:
        content = contents[file.url]
        if where in ("unpacked", "torchvision"):
            (places[where] / file.name.removesuffix(".gz")).write_bytes(gzip.decompress(content))
        else:
            (places[where] / file.name).write_bytes(content)
    found = small.read(tmp_path, offline)
    np.testing.assert_array_equal(found.images[..., 0], arrays[0])
    np.testing.assert_array_equal(found.test_labels, arrays[3])


def test_an_unpacked_file_of_mnist_that_is_cut_short_is_named(tmp_path):
    small, _, contents = small_mnist("mnist")
    (tmp_path / small.folder).mkdir()
    for file in small.files:
        content = gzip.decompress(contents[file.url])
        (tmp_path / small.folder / file.name.removesuffix(".gz")).write_bytes(content[:-1])
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte is not the expected IDX file"):
        small.read(tmp_path, offline)


def test_keras_file_of_mnist_is_read_from_the_home_folder(tmp_path, keras):
    small, arrays, _ = small_mnist("mnist")
    keras.mkdir(parents=True)
    names = ("x_train", "y_train", "x_test", "y_test")
    np.savez(keras / "mnist.npz", **dict(zip(names, arrays)))
    found = small.read(tmp_path, offline)
    np.testing.assert_array_equal(found.test_images[..., 0], arrays[2])
    assert found.labels.dtype == np.int32
    np.savez(keras / "mnist.npz", **dict(zip(names, arrays[:3])))
    with pytest.raises(DataError, match=r"mnist\.npz is not the file that Keras keeps .*y_test"):
        small.read(tmp_path, offline)


def python_version(name, folder):
    """The files of a small CIFAR's Python version in a folder, and what the binary version holds."""
    small, content = small_cifar(name)
    folder.mkdir(parents=True)
    python, length = small.python, 3072 + small.label_bytes
    for seed, file in [*enumerate(python["train_files"]), (99, python["test_file"])]:
        count = TEST_RECORDS if seed == 99 else RECORDS
        rows = np.frombuffer(cifar_records(count, small.label_bytes, seed), np.uint8).reshape(-1, length)
        labels = rows[:, small.label_bytes - 1].tolist()
        batch = {
            b"data": rows[:, small.label_bytes :].copy(),
            python["labels"].encode(): labels,
            b"filenames": [b"x.png"],
        }
        (folder / file).write_bytes(pickle.dumps(batch, 2))
    names = [f"class{number}".encode() for number in range(10)]
    (folder / python["names_file"]).write_bytes(pickle.dumps({python["names"].encode(): names}, 2))
    return small, content


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
@pytest.mark.parametrize("where", ["folder", "archive", "keras 2", "keras 3"])
def test_cifars_python_version_is_the_same_data_as_its_binary_version(tmp_path, keras, name, where):
    folder = PUBLISHED[name].python["folder"]
    places = {"keras 2": keras / folder, "keras 3": keras / f"{folder}-target" / folder}
    small, content = python_version(name, places.get(where, tmp_path / folder))
    if where == "archive":
        with tarfile.open(tmp_path / small.python["archive"], "w:gz") as tar:
            tar.add(tmp_path / folder, folder)
        (tmp_path / folder).rename(tmp_path / "away")
    found = small.read(tmp_path, offline)
    assert found.fingerprint() == small.read(tmp_path / "new", serve({small.archive.url: content})).fingerprint()


def test_a_damaged_file_of_the_python_version_is_named(tmp_path):
    small, _ = python_version("cifar10", tmp_path / "cifar-10-batches-py")
    file = tmp_path / "cifar-10-batches-py" / "data_batch_3"
    whole = file.read_bytes()
    for content, words in (
        (whole[:-10_000], "data_batch_3 cannot be read as plain data, at byte .*cut short"),
        (pickle.dumps({b"data": np.zeros((3, 3072), np.uint8), b"labels": [1]}, 2), "expected `data` of 40 x 3,072"),
        (pickle.dumps({b"data": np.zeros((40, 3072), np.uint8), b"labels": [1]}, 2), "expected `labels`, 40 whole"),
        (pickle.dumps([1], 2), "not a dictionary"),
    ):
        file.write_bytes(content)
        with pytest.raises(DataError, match=words):
            small.read(tmp_path, offline)
    file.unlink()
    with pytest.raises(DataError, match="data_batch_3 cannot be read: No such file"):
        small.read(tmp_path, offline)


def test_writing_is_never_mirrored_and_clothes_are():
    assert not PUBLISHED["mnist"].flip and not read_digits().flip
    assert PUBLISHED["fashion_mnist"].flip


def test_published_addresses_are_https_with_whole_checksums():
    files = [entry.archive for entry in PUBLISHED.values() if hasattr(entry, "archive")]
    files += [file for entry in PUBLISHED.values() if hasattr(entry, "files") for file in entry.files]
    assert len(files) == 10
    for file in files:
        assert file.url.startswith("https://") and file.url.endswith("/" + file.name)
        assert len(bytes.fromhex(file.sha256)) == 32 and file.size > 4_000


def real_data(folder):
    """The data folder that holds `folder`, or a skipped test."""
    places = [Path(place) for place in (os.environ.get("ALPHAXENAS_DATA"), "data") if place]
    for place in places:
        if (place / folder).is_dir():
            return place
    pytest.skip(f"no {folder} in ALPHAXENAS_DATA or data/")


def test_real_cifar10_has_its_published_sizes_and_statistics():
    data = load_data("cifar10", real_data("cifar-10-batches-bin"))
    assert [len(data.train), len(data.validation), len(data.test)] == [45_000, 5_000, 10_000]
    for part, count in ((data.train, 4_500), (data.validation, 500), (data.test, 1_000)):
        assert np.bincount(part.labels).tolist() == [count] * 10
    np.testing.assert_allclose(data.mean, [0.4914, 0.4822, 0.4465], atol=0.001)
    np.testing.assert_allclose(data.std, [0.2470, 0.2435, 0.2616], atol=0.001)
    assert data.class_names[0] == "airplane" and data.class_names[9] == "truck"


def test_real_mnist_has_its_published_sizes():
    data = load_data("mnist", real_data("mnist"))
    assert [len(data.train), len(data.validation), len(data.test)] == [55_000, 5_000, 10_000]
    assert data.image_shape == (28, 28, 1) and data.test.labels[:5].tolist() == [7, 2, 1, 0, 4]
