"""The parts of a notebook that a parameter chooses: what belongs to another part is left out, and says so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any


class ChosenParts:
    """Shows what belongs to the chosen parts.

    Args:
        parameter: Name of the parameter that chooses them.
        chosen: Its value.
    """

    def __init__(self, parameter: str, chosen: Sequence[str]) -> None:
        self._parameter, self._chosen = parameter, tuple(chosen)

    def __contains__(self, part: str) -> bool:
        return part in self._chosen

    def show(self, part: str, make: Callable[[], Any]) -> Any:
        """What a cell shows last.

        Args:
            part: The part that it belongs to.
            make: Makes it; not called where the part is not chosen, because its records are missing then.

        Returns:
            What `make` returns, or a sentence that says which parameter leaves it out.
        """
        if part in self:
            return make()
        from IPython.display import Markdown

        return Markdown(f"Left out: `{self._parameter}` does not name `{part}`.")
