"""Images for people."""

import numpy as np
import pytest

from alphaxenas.data import channel_names, sheet, to_pixels


def test_pixels_survive_normalising_and_back():
    images = np.arange(256, dtype=np.uint8).reshape(4, 8, 8, 1)
    mean, std = np.array([0.3], np.float32), np.array([0.2], np.float32)
    np.testing.assert_array_equal(to_pixels((images / 255 - mean) / std, mean, std), images)


def test_a_sheet_shows_every_image_in_its_place():
    images = np.stack([np.full((2, 3, 1), number * 10, np.uint8) for number in range(5)])
    page = sheet(images, columns=3)
    assert page.shape == (5, 11, 3)
    assert (page[:2, 4:7] == 10).all() and (page[3:, :3] == 30).all()
    assert (page[:, 3] == 255).all() and (page[3:, 8:] == 255).all()


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
def test_images_of_any_number_of_channels_have_a_picture_and_names(channels):
    images = np.arange(4 * channels, dtype=np.uint8).reshape(1, 2, 2, channels)
    page = sheet(images, 1)
    assert page.shape == (2, 2, 3) and (page[..., 0] == images[0, ..., 0]).all()
    assert channels < 2 or (page[..., 1] == images[0, ..., 1]).all()
    assert len(set(channel_names(channels))) == channels
