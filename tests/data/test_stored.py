"""Images that stay on disk give the same batches as images in memory, and take no memory."""

import tracemalloc

import numpy as np
import pytest

from alphaxenas.data import DataError, load_data, stored
from alphaxenas.data.images import channel_statistics
from alphaxenas.data.own import sources
from alphaxenas.data.pipeline import Batches
from alphaxenas.data.stored import StoredImages


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (60, 6, 5, 3), np.uint8)


@pytest.fixture
def on_disk(tmp_path, images):
    np.save(tmp_path / "x.npy", images)
    return StoredImages(tmp_path / "x.npy")


@pytest.mark.parametrize(
    "key",
    [3, slice(None), slice(5, 40, 3), [7, 2, 2, 59], np.arange(60) % 7 == 0, np.array([], int)],
    ids=["one", "all", "slice", "list", "truth values", "none"],
)
def test_indexing_is_that_of_arrays(images, on_disk, key):
    assert np.array_equal(on_disk[key], images[key]) and on_disk[key].shape == images[key].shape
    picked = on_disk.pick(np.arange(59, -1, -1))
    assert np.array_equal(picked[key], images[::-1][key])
    assert np.array_equal(np.asarray(picked), images[::-1]) and picked.shape == images.shape


def test_a_file_cut_short_is_named(tmp_path, on_disk):
    with (tmp_path / "x.npy").open("r+b") as file:
        file.truncate(1_000)
    with pytest.raises(DataError, match=r"x\.npy is shorter"):
        on_disk[:]


def pair(place, x, y):
    np.save(place / "x.npy", x)
    np.save(place / "y.npy", y)
    return {"arrays_path": place / "x.npy", "labels_path": place / "y.npy", "data_dir": place / "data"}


def batches(data, part, **how):
    made = Batches.of(data, part, 7, **how)
    found = [*made.epoch(3, 0), *made.epoch(3, 1, 0.5, ("trial", 2), augment=False), *made.in_order()]
    return [(x.numpy().tobytes(), y.numpy().tolist()) for x, y in found]


@pytest.mark.parametrize("kind", ["bytes", "fractions", "channels first"])
def test_batches_from_disk_are_those_from_memory(tmp_path, monkeypatch, images, kind):
    x = {"bytes": images, "fractions": images / 255, "channels first": images.transpose(0, 3, 1, 2)}[kind]
    given = pair(tmp_path, x, np.array(["b", "a", "c"])[np.arange(60) % 3])
    given["image_layout"] = "channels_first" if kind == "channels first" else "auto"
    memory = load_data("arrays", **given)
    monkeypatch.setattr(stored, "IN_MEMORY_BYTES", 1_000)
    monkeypatch.setattr(sources, "IN_MEMORY_BYTES", 1_000)
    disk = load_data("arrays", **given)
    assert isinstance(disk.train.images, StoredImages) and isinstance(memory.train.images, np.ndarray)
    assert disk.fingerprint == memory.fingerprint and disk.class_names == ("a", "b", "c")
    assert np.array_equal(disk.mean, memory.mean) and np.array_equal(disk.std, memory.std)
    for part in ("train", "validation", "test"):
        how = {"augment": part == "train", "cutout": 2, "alternating": True}
        assert batches(disk, part, **how) == batches(memory, part, **how)


def test_an_unfinished_epoch_leaves_no_thread(tmp_path, monkeypatch, images):
    import threading

    monkeypatch.setattr(sources, "IN_MEMORY_BYTES", 1_000)
    data = load_data("arrays", **pair(tmp_path, images, np.arange(60) % 3))
    running = Batches.of(data, "train", 4).epoch(0, 0)
    next(running)
    running.close()
    assert not [thread for thread in threading.enumerate() if "images from disk" in thread.name]


def test_memory_does_not_grow_with_the_set(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "IN_MEMORY_BYTES", 1_000)
    monkeypatch.setattr(stored, "CHUNK_BYTES", 1 << 18)
    x = np.zeros((4_000, 32, 32, 3), np.uint8)  # 12 MB
    given = pair(tmp_path, x, np.arange(4_000) % 3)
    del x
    tracemalloc.start()
    data = load_data("arrays", **given)
    drawn = sum(len(labels) for _, labels in Batches.of(data, "train", 32).epoch(0, 0))
    largest = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert drawn == 2_400 and largest < 4 << 20


def test_statistics_of_images_on_disk_take_some_of_them(on_disk, images, monkeypatch):
    monkeypatch.setattr("alphaxenas.data.images._STATISTICS_IMAGES", 20)
    assert np.array_equal(channel_statistics(on_disk)[0], channel_statistics(images[::3])[0])


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("x", np.array([None] * 6), r"x\.npy cannot be read as an \.npy file of plain values"),
        ("y", np.array([None] * 6), r"y\.npy cannot be read"),
        ("y", np.zeros(6), r"y\.npy: invalid `y`. Expected 60 whole numbers or texts"),
        ("x", np.zeros((60, 4, 4), np.int64) - 1, r"x\.npy: invalid pixels"),
    ],
)
def test_bad_pairs_are_refused_by_file(tmp_path, images, name, content, words):
    given = pair(tmp_path, images, np.arange(60) % 3)
    np.save(tmp_path / f"{name}.npy", content, allow_pickle=True)
    with pytest.raises(DataError, match=words):
        load_data("arrays", **given)


def test_missing_files_of_a_pair_are_named_with_their_parameter(tmp_path, images):
    given = pair(tmp_path, images, np.arange(60) % 3)
    for name, file in (("labels_path", "y.npy"), ("arrays_path", "x.npy")):
        (tmp_path / file).unlink()
        with pytest.raises(DataError, match=f"`{name}`. Expected the path of an .npy file. Received: .*{file}"):
            load_data("arrays", **given)
