"""Figures do not depend on a user's settings, and what users wrote is text: no formula, of readable length."""

import os
import subprocess
import sys

import numpy as np
import pytest

from alphaxenas.config import PROJECT_ROOT
from alphaxenas.report import pictures
from alphaxenas.spaces.drawing import lettering
from alphaxenas.spaces.drawing.lettering import plain, short_names
from alphaxenas.spaces.drawing.picture import as_png

DRAW = (
    "import sys, hashlib, matplotlib\n"
    "from alphaxenas.report.style import new_figure\n"
    "from alphaxenas.spaces.drawing.picture import as_png\n"
    "figure, (axes,) = new_figure(); axes.plot([1, 2]); axes.set_title('accuracy')\n"
    "print(hashlib.sha256(as_png(figure)).hexdigest())"
)
SETTINGS = "text.usetex: True\nfont.size: 31\naxes.facecolor: red\nsavefig.dpi: 20\nfont.family: Comic Sans MS\n"


def test_a_users_matplotlibrc_changes_no_figure(tmp_path):
    (tmp_path / "matplotlibrc").write_text(SETTINGS)
    drawn = []
    for settings in ("/nonexistent", str(tmp_path / "matplotlibrc")):
        environment = {**os.environ, "MATPLOTLIBRC": settings}
        done = subprocess.run(
            [sys.executable, "-c", DRAW], cwd=PROJECT_ROOT, env=environment, capture_output=True, text=True, check=True
        )
        drawn.append(done.stdout)
    assert drawn[0] == drawn[1] != ""


@pytest.mark.parametrize("name", ["Ba$$in", "$x^2$", "a_b^c{d}", "100 %", "\\frac", "Ba$in $"])
def test_names_are_never_formulas(name):
    figure = pictures.image_rows({name: np.zeros((4, 8, 3), np.uint8), "other": np.zeros((4, 8, 3), np.uint8)})
    assert as_png(figure)
    text = figure.texts[0].get_text()
    assert text.replace(r"\$", "$") == name and not figure.texts[0]._preprocess_math(text)[1]


def test_long_names_keep_beginning_and_end_and_stay_different():
    names = [
        "x" * 60 + " left",
        "x" * 60 + " right",
        "a name of several words, first",
        "c",
        "x" * 40 + "y" * 20 + " left",
    ]
    short = short_names(names)
    assert short[3] == "c" and all(len(name) <= 22 for name in short) and len(set(short)) == len(names)
    assert short[0].endswith("left") and short[1].endswith("right") and short[2].startswith("a name")


def test_a_name_fits_into_its_column():
    names = {"W" * 22: np.zeros((4, 8, 3), np.uint8), "b": np.zeros((4, 8, 3), np.uint8)}
    figure = pictures.image_rows(names)
    figure.draw_without_rendering()
    assert all(text.get_window_extent().x0 >= 0 for text in figure.texts)


def test_a_sign_without_a_font_says_which_it_is_and_one_with_a_font_is_drawn(monkeypatch):
    assert plain("Bär 3×3 ≤") == "Bär 3×3 ≤"
    monkeypatch.setattr(lettering, "_drawable", lambda sign: sign != "猫")
    assert plain("猫 cat") == "[U+732B] cat" and short_names(["猫", "犬"]) == ["[U+732B]", "犬"]
    assert "Last Resort" not in "".join(lettering.matplotlib.rcParams["font.family"])
