"""Figures as PNG: small, the same every time, and looking like what was drawn."""

import io

import numpy as np
from matplotlib.figure import Figure
from matplotlib.image import imread

from alphaxenas.spaces import CellSpace
from alphaxenas.spaces.drawing.picture import as_png, picture
from alphaxenas.spaces.drawing.registry import draw

CELL = CellSpace().sample(np.random.default_rng(0))


def exact():
    """What `picture` draws, in all colours."""
    figure = Figure(figsize=(9, 4.5), dpi=100, layout="constrained")
    draw(CellSpace(), CELL, figure.add_subplot())
    return figure


def test_drawings_of_cells_take_a_third_and_look_the_same():
    small, whole = picture(CellSpace(), CELL), io.BytesIO()
    exact().savefig(whole, format="png")
    assert len(small) < 0.45 * len(whole.getvalue()) and small == picture(CellSpace(), CELL)
    whole.seek(0)
    shown, drawn = imread(io.BytesIO(small))[..., :3], imread(whole)[..., :3]
    assert shown.shape == drawn.shape == (450, 900, 3)
    assert np.abs(shown - drawn).mean() < 0.005 and np.abs(shown - drawn).max() < 0.3


def test_photographs_keep_every_colour():
    figure = Figure(figsize=(2, 2), dpi=100)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.imshow(np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8))
    colours = [
        len(np.unique(imread(io.BytesIO(as_png(figure, photographs)))[..., :3].reshape(-1, 3), axis=0))
        for photographs in (False, True)
    ]
    assert colours[0] <= 255 < colours[1]
