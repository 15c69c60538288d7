"""A user's own arrays, as people have them: every kind is read as it is meant, or refused with the way out."""

import resource

import numpy as np
import pytest

from alphaxenas.data import DataError, load_data
from alphaxenas.data.pipeline import Batches

COUNT = 60


def write(place, shape=(6, 6), labels=None, dtype=np.uint8, **more):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 2 if dtype is bool else 256, (COUNT, *shape)).astype(dtype)
    labels = np.arange(COUNT) % 3 if labels is None else np.asarray(labels)[np.arange(COUNT) % len(labels)]
    np.savez(place / "own.npz", x=images, y=labels, **more)
    return images


def read(place, **more):
    return load_data("arrays", arrays_path=place / "own.npz", **more)


@pytest.mark.parametrize(
    ("labels", "names", "in_file"),
    [
        ([0, 1, 2], ("0", "1", "2"), ()),
        ([1, 2, 3], ("1", "2", "3"), ("1", "2", "3")),
        ([10, 7], ("7", "10"), ("7", "10")),
        ([0, 20_000_000, 5], ("0", "5", "20000000"), ("0", "5", "20000000")),
        (np.array([0, 2**63 + 1], np.uint64), ("0", str(2**63 + 1)), ("0", str(2**63 + 1))),
        ([False, True], ("0", "1"), ()),
        (["owl", "cat"], ("cat", "owl"), ()),
        ([b"owl", "猫".encode()], ("owl", "猫"), ()),
    ],
)
def test_labels_of_any_kind_become_numbers_from_0_and_what_stood_in_the_file_is_kept(tmp_path, labels, names, in_file):
    images = write(tmp_path, labels=labels)
    data = read(tmp_path)
    assert data.class_names == names and data.labels_in_file == in_file
    assert data.identity["labels_in_file"] == list(in_file)
    place = {image.tobytes(): number % len(labels) for number, image in enumerate(images)}
    order = sorted(range(len(labels)), key=lambda number: labels[number])
    for image, label in zip(data.train.images[..., 0], data.train.labels):
        assert order[label] == place[image.tobytes()]


def test_names_follow_the_labels_in_ascending_order_where_these_do_not_start_at_0(tmp_path):
    write(tmp_path, labels=[30, 10, 20], class_names=["ten", "twenty", "thirty"])
    data = read(tmp_path)
    assert data.class_names == ("ten", "twenty", "thirty") and data.labels_in_file == ("10", "20", "30")


def test_memory_does_not_grow_with_the_largest_label(tmp_path):
    write(tmp_path, labels=[0, 1, 2_000_000_000])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert read(tmp_path).num_classes == 3
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KiB


@pytest.mark.parametrize(
    ("labels", "more", "message"),
    [
        ([0.0, 1.0], {}, "invalid `y`. Expected 60 whole numbers or texts"),
        ([[1, 0], [0, 1]], {}, "invalid `y`"),
        ([-1, 0, 1], {}, "labels out of range. Expected 0 or more"),
        (["cat", ""], {}, "invalid `y`. Expected readable texts. Received: ''"),
        (["cat", "cow"], {"class_names": ["cat", "dog"]}, "Expected labels among cat, dog. Received: 'cow'"),
        ([4, 5, 6], {"class_names": ["a", "b"]}, r"Expected 0\.\.1 for 2 classes.*Received: 4 to 6, 3 different"),
        ([0, 1], {"class_names": [2010, 2011]}, "invalid `class_names`. Expected a list of texts"),
        ([0, 1], {"class_names": "cat dog"}, "invalid `class_names`. Expected a list of texts"),
        ([0, 1], {"class_names": ["cat", "cat "]}, "Expected different ones. Received: 'cat' twice"),
        ([0, 1], {"class_names": ["cat", "two\nlines"]}, "Expected readable texts"),
        ([0, 1], {"class_names": [b"cat", b"\xff"]}, "Expected readable texts"),
        ([0, 1], {"flip": "False"}, "invalid `flip`. Expected True or False. Received: <U5 'False'"),
        ([0, 1], {"flip": 0.5}, "invalid `flip`"),
        ([0, 1], {"flip": [True, False]}, "invalid `flip`"),
        ([0, 1], {"flip": 2}, "invalid `flip`"),
    ],
)
def test_labels_names_and_switches_of_another_kind_are_refused_with_the_value(tmp_path, labels, more, message):
    write(tmp_path, labels=labels, **more)
    with pytest.raises(DataError, match=f"own.npz: .*{message}"):
        read(tmp_path)


@pytest.mark.parametrize(("flip", "meant"), [(True, True), (False, False), (0, False), ([1], True)])
def test_a_switch_is_a_switch(tmp_path, flip, meant):
    write(tmp_path, flip=flip)
    assert read(tmp_path).flip is meant


def test_names_given_as_bytes_are_decoded(tmp_path):
    write(tmp_path, class_names=[b"cat", b"dog", "Bär".encode()])
    assert read(tmp_path).class_names == ("cat", "dog", "Bär")


@pytest.mark.parametrize("shape", [(3, 12, 12), (1, 28, 28), (4, 9, 7), (1, 60, 22)])
def test_channels_first_is_refused_with_the_cure_or_taken_when_it_is_said(tmp_path, shape):
    images = write(tmp_path, shape)
    with pytest.raises(DataError, match=r"looks like channels first.*x\.transpose\(0, 2, 3, 1\).*`image_layout`"):
        read(tmp_path)
    first, last = read(tmp_path, image_layout="channels_first"), read(tmp_path, image_layout="channels_last")
    assert first.image_shape == (*shape[1:], shape[0]) and last.image_shape == shape
    known = {image.transpose(1, 2, 0).tobytes() for image in images}
    assert all(image.tobytes() in known for image in first.test.images)


def test_images_along_the_last_axis_are_told_with_the_cure(tmp_path):
    np.savez(tmp_path / "own.npz", x=np.zeros((8, 8, 3, COUNT), np.uint8), y=np.arange(COUNT) % 2)
    with pytest.raises(DataError, match=r"np\.moveaxis\(x, -1, 0\)"):
        read(tmp_path)


@pytest.mark.parametrize("shape", [(60, 1, 22), (1, 28), (28, 1), (1, 1, 3), (2, 2), (9, 5, 2), (6, 6, 4)])
def test_images_of_any_size_and_number_of_channels_are_augmented(tmp_path, shape):
    write(tmp_path, shape)
    data = read(tmp_path)
    images, _ = next(Batches.of(data, "train", 8, augment=True).epoch(seed=0, epoch=0))
    assert images.shape == (8, *data.image_shape)


def change_pixel(images, labels, more):
    images[17, 0, 0] ^= 1


def mend_label(images, labels, more):
    labels[5] = (labels[5] + 1) % 3


def rename(images, labels, more):
    more["class_names"] = ["a", "b", "d"]


def swap(images, labels, more):
    images[[3, 4]] = images[[4, 3]]


@pytest.mark.parametrize("change", [change_pixel, mend_label, rename, swap])
def test_the_fingerprint_belongs_to_images_labels_and_names(tmp_path, change):
    images, labels, more = write(tmp_path), np.arange(COUNT) % 3, {"class_names": ["a", "b", "c"]}
    np.savez(tmp_path / "own.npz", x=images, y=labels, **more)
    before = read(tmp_path)
    assert read(tmp_path, seed=3, fraction=0.5).identity == before.identity
    np.savez_compressed(tmp_path / "own.npz", x=images.astype(np.int64), y=labels.astype(np.int16), **more)
    assert read(tmp_path).identity == before.identity, "the content counts, not the bytes of the file"
    change(images, labels, more)
    np.savez(tmp_path / "own.npz", x=images, y=labels, **more)
    assert read(tmp_path).fingerprint != before.fingerprint
