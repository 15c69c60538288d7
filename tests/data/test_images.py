"""What `load_data` promises about splits, statistics and bad input."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alphaxenas.data import DATASETS, DataError, describe, load_data
from alphaxenas.data.images import channel_statistics


def save(path, counts=(40, 40, 40), shape=(4, 4, 3), seed=0, **more):
    """A small data set whose images are all different, so that parts can be compared."""
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    images = np.random.default_rng(seed).integers(0, 256, (len(labels), *shape), np.uint8)
    np.savez(path, x=images, y=labels, **more)
    return images, labels


def rows(part):
    return {image.tobytes() for image in part.images}


@pytest.fixture
def own(tmp_path):
    save(tmp_path / "own.npz")
    return {"dataset": "arrays", "arrays_path": tmp_path / "own.npz"}


def test_digits_split_three_to_one_to_one_and_stratified():
    data = load_data()
    assert data.name == "digits" and data.image_shape == (8, 8, 1) and data.num_classes == 10
    assert [len(data.train), len(data.validation), len(data.test)] == [1_079, 359, 359]
    for part in (data.train, data.validation, data.test):
        counts = np.bincount(part.labels)
        assert counts.max() - counts.min() <= 0.1 * counts.mean()
    assert data.train.images.dtype == np.uint8 and data.train.labels.dtype == np.int32
    assert data.train.images.max() == 255 and not data.flip


def test_the_parts_share_no_image_and_lose_none(own):
    data = load_data(**own)
    parts = [rows(data.train), rows(data.validation), rows(data.test)]
    assert [len(part) for part in parts] == [72, 24, 24]
    assert len(parts[0] | parts[1] | parts[2]) == 120


def test_images_keep_their_labels(tmp_path):
    images, labels = save(tmp_path / "own.npz")
    label_of = {image.tobytes(): label for image, label in zip(images, labels, strict=True)}
    data = load_data("arrays", arrays_path=tmp_path / "own.npz")
    for part in (data.train, data.validation, data.test):
        assert [label_of[image.tobytes()] for image in part.images] == part.labels.tolist()


def test_the_seed_alone_decides_the_split(own):
    first, again, other = load_data(**own, seed=1), load_data(**own, seed=1), load_data(**own, seed=2)
    np.testing.assert_array_equal(first.train.images, again.train.images)
    assert rows(first.test) != rows(other.test) and rows(first.validation) != rows(other.validation)


def test_sizes_asked_for_are_applied(own):
    data = load_data(**own, validation_size=30, test_size=15)
    assert [len(data.train), len(data.validation), len(data.test)] == [75, 30, 15]


@settings(deadline=None, max_examples=25)
@given(fraction=st.floats(0.1, 1.0), seed=st.integers(0, 5))
def test_fraction_keeps_that_share_of_training_images_and_of_nothing_else(tmp_path_factory, fraction, seed):
    path = tmp_path_factory.getbasetemp() / "fraction.npz"
    if not path.exists():
        save(path)
    whole = load_data("arrays", arrays_path=path, seed=seed)
    data = load_data("arrays", arrays_path=path, seed=seed, fraction=fraction)
    assert len(data.train) == round(fraction * 72)
    counts = np.bincount(data.train.labels, minlength=3)
    assert counts.max() - counts.min() <= 1
    assert rows(data.train) <= rows(whole.train)
    assert rows(data.validation) == rows(whole.validation) and rows(data.test) == rows(whole.test)


def test_statistics_are_those_of_the_training_images_that_are_kept(own):
    data = load_data(**own, fraction=0.5)
    pixels = data.train.images.reshape(-1, 3) / 255
    np.testing.assert_allclose(data.mean, pixels.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(data.std, pixels.std(axis=0), rtol=1e-6)
    assert data.mean.dtype == data.std.dtype == np.float32


def test_a_channel_that_never_changes_divides_safely():
    images = np.full((3, 2, 2, 2), 77, np.uint8)
    images[0, ..., 1] = 0
    mean, std = channel_statistics(images)
    assert std[0] == 1 and std[1] > 0
    np.testing.assert_allclose(mean[0], 77 / 255, rtol=1e-6)


def test_parts_cannot_be_written_to(own):
    with pytest.raises(ValueError, match="read-only"):
        load_data(**own).train.images[0] = 0


def test_class_names_and_flip_come_from_the_file(tmp_path):
    save(tmp_path / "own.npz", class_names=["cat", "dog", "owl"], flip=True)
    data = load_data("arrays", arrays_path=tmp_path / "own.npz")
    assert data.class_names == ("cat", "dog", "owl") and data.flip
    save(tmp_path / "plain.npz")
    plain = load_data("arrays", arrays_path=tmp_path / "plain.npz")
    assert plain.class_names == ("0", "1", "2") and not plain.flip


def test_describe_counts_every_image_once(own):
    table = describe(load_data(**own))
    assert list(table.columns) == ["train", "validation", "test"]
    assert table.loc["all"].tolist() == [72, 24, 24]
    assert table.loc["1"].sum() == 40


def test_an_unknown_data_set_names_the_nearest():
    with pytest.raises(ValueError, match=r"Invalid value for `dataset`.*fashion_mnist.*Did you mean 'cifar10'\?"):
        load_data("cifar-10")


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ({"fraction": 0}, "fraction"),
        ({"fraction": 1.01}, "fraction"),
        ({"fraction": float("nan")}, "fraction"),
        ({"fraction": "0.5"}, "fraction"),
        ({"validation_size": -1}, "validation_size"),
        ({"validation_size": 10.0}, "validation_size"),
        ({"test_size": True}, "test_size"),
        ({"seed": -1}, "seed"),
        ({"arrays_path": "own.npz"}, "arrays_path"),
        ({"dataset": "arrays"}, "arrays_path"),
        ({"dataset": "arrays", "arrays_path": "x.npy"}, "labels_path"),
        ({"dataset": "arrays", "arrays_path": "x.npz", "labels_path": "y.npy"}, "labels_path"),
        ({"dataset": "image_folder"}, "images_path"),
        ({"dataset": "parquet"}, "images_path"),
        ({"images_path": "x"}, "images_path"),
        ({"image_size": 8}, "image_size"),
        ({"dataset": "image_folder", "images_path": "x", "image_size": -1}, "image_size"),
        ({"dataset": "image_folder", "images_path": "x", "label_column": "y"}, "label_column"),
        ({"mirror": "yes"}, "mirror"),
        ({"dataset": "cifar10", "test_size": 100}, "test_size"),
    ],
)
def test_impossible_parameters_are_refused_before_any_work(tmp_path, parameters, name):
    with pytest.raises(ValueError, match=f"Invalid value for `{name}`"):
        load_data(**{"data_dir": tmp_path / "never made", **parameters})
    assert not (tmp_path / "never made").exists()


def test_a_split_that_leaves_nothing_for_training_is_refused(own):
    with pytest.raises(DataError, match="none would be left for training"):
        load_data(**own, validation_size=100, test_size=20)


@pytest.mark.parametrize("counts", [(60, 60, 1), (60, 0, 60), (2, 200)])
def test_too_few_examples_of_a_class_are_named(tmp_path, counts):
    save(tmp_path / "own.npz", counts, class_names=np.arange(len(counts)).astype(str))
    scarce = int(np.argmin(counts))
    with pytest.raises(DataError, match=f"too few examples of class '{scarce}'"):
        load_data("arrays", arrays_path=tmp_path / "own.npz")


def test_a_fraction_too_small_for_every_class_is_refused(own):
    with pytest.raises(DataError, match="too few examples of class .* training images"):
        load_data(**own, fraction=0.02)


def test_labels_beyond_the_class_names_are_refused(tmp_path):
    save(tmp_path / "own.npz", class_names=["cat", "dog"])
    with pytest.raises(DataError, match=r"labels out of range. Expected 0\.\.1 for 2 classes.*Received: 0 to 2"):
        load_data("arrays", arrays_path=tmp_path / "own.npz")


def test_every_data_set_of_the_interface_is_there():
    own = ("arrays", "image_folder", "parquet")
    assert DATASETS == ("digits", "cifar10", "cifar100", "mnist", "fashion_mnist", *own)
