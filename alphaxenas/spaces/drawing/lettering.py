"""Words of users in pictures: never formulas, of readable length, in a font that has their signs.

Importing this module resets matplotlib to its own defaults, because what a user's `matplotlibrc` says (LaTeX, fonts,
sizes) must not reach the figures of this project.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import matplotlib
from matplotlib import font_manager

FONT = "DejaVu Sans"
"""Comes with matplotlib."""

matplotlib.rcdefaults()


def plain(text: str) -> str:
    """A text as matplotlib is to draw it: a dollar sign is no beginning of a formula, a sign without a font its code
    point.
    """
    missing = {sign for sign in text if not sign.isspace() and not _drawable(sign)}
    return "".join(f"[U+{ord(sign):04X}]" if sign in missing else sign for sign in text).replace("$", r"\$")


def short_names(names: Sequence[str], most: int = 22) -> list[str]:
    """Names for the narrow column beside a picture, all different.

    Args:
        names: Different names.
        most: Signs that there is room for.

    Returns:
        The names as `plain` has them; of long ones the beginning and the end, behind their number where two would
        look the same.
    """

    def cut(name: str, room: int) -> str:
        return name if len(name) <= room else f"{name[: (room - 1) // 2]}…{name[len(name) - room // 2 :]}"

    shorter = [cut(name, most) for name in names]
    for number, name in enumerate(names):
        if shorter.count(cut(name, most)) > 1:
            shorter[number] = f"{number}: {cut(name, most - len(f'{number}: '))}"
    return [plain(name) for name in shorter]


@cache
def _signs(file: str) -> frozenset[int]:
    """Code points that a font file has."""
    return frozenset(font_manager.get_font(file).get_charmap())


@cache
def _drawable(sign: str) -> bool:
    """Whether a font has the sign; a further font that has it is used from then on."""
    if ord(sign) in _signs(font_manager.findfont(FONT)):
        return True
    for font in font_manager.fontManager.ttflist:
        try:
            found = not font.name.startswith("Last Resort") and ord(sign) in _signs(font.fname)
        except (OSError, RuntimeError):  # a font that was removed, or is damaged
            continue
        if found:
            family = matplotlib.rcParams["font.family"]
            matplotlib.rcParams["font.family"] = [*family, *({font.name} - {*family})]
            return True
    return False
