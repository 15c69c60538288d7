"""What a batch may and may not contain."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alphaxenas.data.images import Part, load_data
from alphaxenas.data.pipeline import Batches

MEAN, STD = np.array([0.4, 0.5, 0.6], np.float32), np.array([0.2, 0.25, 0.3], np.float32)


def numbered(count, classes=5):
    """1x1-pixel-like images that carry their own number in the pixels, so that a batch says which were drawn."""
    images = np.zeros((count, 4, 4, 3), np.uint8)
    images[..., 0], images[..., 1] = np.arange(count)[:, None, None] % 256, np.arange(count)[:, None, None] // 256
    return Part(images, (np.arange(count) % classes).astype(np.int32))


def numbers(images):
    pixels = np.rint((np.asarray(images)[:, 0, 0] * STD + MEAN) * 255).astype(int)
    return pixels[:, 0] + 256 * pixels[:, 1]


def drawn(batches):
    return np.concatenate([numbers(images) for images, _ in batches])


def photographs(count=1, size=32, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, size, size, 3), np.uint8)


@pytest.fixture(scope="module")
def hundred():
    return Batches(numbered(100), MEAN, STD, batch_size=16)


@settings(deadline=None, max_examples=40)
@given(fraction=st.floats(0.01, 1.0), epoch=st.integers(0, 9))
def test_number_of_images_seen_per_epoch_equals_the_fraction(hundred, fraction, epoch):
    """AXE-1: the original drew 30 % of the data, logged it, and trained on all of it."""
    seen = drawn(hundred.epoch(seed=0, epoch=epoch, fraction=fraction))
    assert len(seen) == len(set(seen)) == round(fraction * 100) == hundred.images_drawn(fraction)


@settings(deadline=None, max_examples=40)
@given(fraction=st.floats(0.01, 1.0))
def test_batch_sizes_differ_by_one_at_most_and_never_exceed_the_largest(hundred, fraction):
    sizes = [len(labels) for _, labels in hundred.epoch(0, 0, fraction)]
    assert max(sizes) - min(sizes) <= 1 and max(sizes) <= 16
    assert len(sizes) == hundred.steps(fraction) == -(-sum(sizes) // 16)


@pytest.mark.parametrize("augment", [False, True])
def test_labels_stay_with_their_images(augment):
    batches = Batches(numbered(100), MEAN, STD, 16, augment=augment)
    for images, labels in batches.epoch(0, 0):
        assert labels.numpy().dtype == np.int32
        np.testing.assert_array_equal(numbers(images) % 5, labels)


def test_the_fraction_is_stratified_and_differs_from_epoch_to_epoch(hundred):
    first, second = drawn(hundred.epoch(0, 0, 0.5)), drawn(hundred.epoch(0, 1, 0.5))
    assert np.bincount(first % 5).tolist() == np.bincount(second % 5).tolist() == [10] * 5
    assert set(first) != set(second)


def test_seed_epoch_and_consumer_decide_the_batches_alone():
    part = Part(photographs(40), np.zeros(40, np.int32))
    batches = [Batches(part, MEAN, STD, 8, augment=True, cutout=8) for _ in range(2)]

    def all_images(which, *arguments, **named):
        return np.concatenate([images for images, _ in batches[which].epoch(*arguments, **named)])

    reference = all_images(0, 3, 1, 0.5, ("trial", 2))
    np.testing.assert_array_equal(all_images(1, 3, 1, 0.5, ("trial", 2)), reference)
    for other in ((4, 1, 0.5, ("trial", 2)), (3, 2, 0.5, ("trial", 2)), (3, 1, 0.5, ("trial", 3)), (3, 1, 0.5)):
        assert not np.array_equal(all_images(0, *other), reference)


def test_the_order_is_shuffled_anew_every_epoch(hundred):
    orders = [drawn(hundred.epoch(0, epoch)).tolist() for epoch in range(3)]
    assert len({tuple(order) for order in orders}) == 3 and sorted(orders[0]) == list(range(100))


def test_evaluation_shows_every_image_once_in_order_and_untouched():
    batches = Batches(numbered(100), MEAN, STD, 16, augment=True, cutout=2)
    shown = [numbers(images) for images, _ in batches.in_order()]
    assert np.concatenate(shown).tolist() == list(range(100))
    assert [len(batch) for batch in shown] == [16] * 6 + [4]


def test_pixels_are_normalised_by_the_given_statistics():
    part = Part(photographs(4), np.zeros(4, np.int32))
    ((images, _),) = Batches(part, MEAN, STD, 4).in_order()
    np.testing.assert_allclose(images, (part.images / 255 - MEAN) / STD, atol=1e-5)
    assert images.dtype.name == "float32"


def augmented(image, count, seed=0, **options):
    """`count` augmentations of one image, as pixels in [0, 255]."""
    part = Part(np.repeat(image[None], count, axis=0), np.zeros(count, np.int32))
    batches = Batches(part, MEAN, STD, count, augment=True, **options)
    ((images, _),) = batches.epoch(seed, 0)
    return (images.numpy() * STD + MEAN) * 255


def crops(image, pad, flip):
    """Every crop that the padding model allows, by another road: NumPy's own reflection."""
    padded = np.pad(image, ((pad, pad), (pad, pad), (0, 0)), "reflect")
    size = image.shape[0]
    found = [padded[y : y + size, x : x + size] for y in range(2 * pad + 1) for x in range(2 * pad + 1)]
    return found + [crop[:, ::-1] for crop in found] if flip else found


@pytest.mark.parametrize(("flip", "pad"), [(True, 4), (False, 2), (True, 0)])
def test_augmentation_yields_exactly_the_crops_of_the_padding_model(flip, pad):
    image = photographs(size=12)[0]
    allowed = {crop.tobytes() for crop in crops(image, pad, flip)}
    received = {np.rint(pixels).astype(np.uint8).tobytes() for pixels in augmented(image, 3_000, pad=pad, flip=flip)}
    assert received == allowed


def test_mean_of_many_augmentations_has_no_dark_border():
    """AXE-4: the original's crop blanked up to three rows and columns instead of moving the image."""
    white = augmented(np.full((32, 32, 3), 255, np.uint8), 500)
    np.testing.assert_allclose(white, 255, atol=0.01)
    image = photographs(seed=1)[0]
    mean = augmented(image, 6_000).mean(axis=0)
    expected = np.mean(crops(image, 4, flip=True), axis=0)
    np.testing.assert_allclose(mean, expected, atol=6)


def test_images_are_mirrored_half_of_the_time_and_never_where_that_changes_their_meaning():
    image = photographs(size=8)[0]
    mirrored = [np.abs(pixels - image[:, ::-1]).max() < 0.5 for pixels in augmented(image, 1_000, pad=0)]
    assert 0.45 < np.mean(mirrored) < 0.55
    digits = load_data("digits")
    never = Batches.of(digits, "train", 1_079, augment=True, pad=0)
    ((images, _),) = never.epoch(0, 0)
    ((originals, _),) = Batches.of(digits, "train", 1_079).epoch(0, 0)
    np.testing.assert_array_equal(images, originals)


@pytest.mark.parametrize(("size", "pad"), [(32, 4), (28, 3), (8, 1), (4, 1)])
def test_small_images_move_by_one_pixel_per_eight(size, pad):
    image = photographs(size=size)[0]
    allowed = {crop.tobytes() for crop in crops(image, pad, False)}
    received = {np.rint(pixels).astype(np.uint8).tobytes() for pixels in augmented(image, 2_000, flip=False)}
    assert received == allowed


def test_cutout_sets_one_clipped_square_to_the_mean_colour():
    image = np.zeros((32, 32, 3), np.uint8)
    pixels = augmented(image, 500, cutout=8)
    cut = np.isclose(pixels, 255 * MEAN, atol=0.01).all(axis=-1)
    np.testing.assert_allclose(pixels[~cut], 0, atol=0.01)
    for mask in cut:
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        assert mask.sum() == len(rows) * len(columns) and 4 <= len(rows) <= 8 and 4 <= len(columns) <= 8
        assert np.ptp(rows) == len(rows) - 1 and np.ptp(columns) == len(columns) - 1
    # Centres are uniform over the image, so every pixel is cut sometimes, corners included.
    assert cut.any(axis=0).all()


def test_images_that_are_not_square_are_cropped_in_place():
    image = np.random.default_rng(0).integers(0, 256, (8, 16, 3), np.uint8)
    padded = np.pad(image, ((1, 1), (1, 1), (0, 0)), "reflect")
    allowed = {padded[y : y + 8, x : x + 16].tobytes() for y in range(3) for x in range(3)}
    received = {np.rint(pixels).astype(np.uint8).tobytes() for pixels in augmented(image, 300, flip=False)}
    assert received == allowed


def test_one_trace_serves_all_batch_sizes():
    batches = Batches(numbered(100), MEAN, STD, 16, augment=True)
    for fraction in (1.0, 0.5, 0.13):
        list(batches.epoch(0, 0, fraction))
    list(batches.in_order())
    assert batches._augmented.experimental_get_tracing_count() == 1
    assert batches._plain.experimental_get_tracing_count() == 1


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"batch_size": 0}, "batch_size"),
        ({"pad": -1}, "pad"),
        ({"pad": 4}, "pad"),
        ({"cutout": 5}, "cutout"),
        ({"std": np.zeros(3)}, "std"),
        ({"mean": np.zeros(1)}, "mean"),
    ],
)
def test_impossible_options_are_refused(options, name):
    with pytest.raises(ValueError, match=f"`{name}`"):
        Batches(**{"part": numbered(10), "mean": MEAN, "std": STD, "batch_size": 4, **options})


def test_impossible_fractions_and_parts_are_refused_at_the_call(hundred):
    with pytest.raises(ValueError, match="`fraction`"):
        hundred.epoch(0, 0, 0.0)
    with pytest.raises(ValueError, match="`part`"):
        Batches.of(load_data("digits"), "tests", 16)


def test_an_epoch_for_calibration_shows_the_drawn_images_as_they_are():
    batches = Batches(numbered(40), MEAN, STD, 16, augment=True, cutout=2)
    plain = Batches(numbered(40), MEAN, STD, 16)
    for shown, expected in zip(batches.epoch(3, 1, 0.5, augment=False), plain.epoch(3, 1, 0.5)):
        np.testing.assert_array_equal(shown[0], expected[0])
