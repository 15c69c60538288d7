"""Images for people."""

import numpy as np
import pytest

from alphaxenas.data import sheet, to_pixels


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


def test_a_sheet_of_two_channels_is_refused():
    with pytest.raises(ValueError, match="1 or 3 channels"):
        sheet(np.zeros((1, 2, 2, 2), np.uint8), 1)
