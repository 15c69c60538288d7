"""Known cells: published architectures as JSON files with their sources, sizes and results, in the folder `zoo` next to
this module.

    cell = zoo_cell("darts_v2")
    cell.architecture, cell.filters, cell.cells, cell.published_parameters

A file is the JSON form of a `MicroArchitecture` with five more fields: `title`, `source`, `published` (the network of
the paper's CIFAR-10 row), `output` (`unused`: a cell's output concatenates the nodes that no other node uses; `all`:
every node) and `note` (what differs from the publication).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from alphaxenas.spaces.cell import Cell
from alphaxenas.spaces.micro import PARTS, MicroArchitecture
from alphaxenas.suggestions import did_you_mean, invalid

PREFIX = "zoo:"
_FOLDER = Path(__file__).with_name("zoo")


@dataclass(frozen=True)
class ZooCell:
    """A published pair of cells.

    Attributes:
        name: Of its file.
        title: As its authors call it.
        source: The publication.
        architecture: The two cells.
        concat_all: Whether the cell's output concatenates every node, not only those that no other node uses.
        filters: Of the published network for CIFAR-10.
        cells: Of the published network, reduction cells included.
        published_parameters: Of the published network, in millions.
        published_error: Its test error in percent.
        cutout: Whether that was reached with cutout.
        note: What differs from the publication; empty if nothing.
    """

    name: str
    title: str
    source: str = field(repr=False)
    architecture: MicroArchitecture = field(repr=False)
    concat_all: bool
    filters: int
    cells: int
    published_parameters: float
    published_error: float
    cutout: bool
    note: str = field(repr=False)

    def __str__(self) -> str:
        return PREFIX + self.name

    @property
    def normal(self) -> Cell:
        """The cell that keeps the resolution."""
        return self.architecture.normal

    @property
    def reduction(self) -> Cell:
        """The cell that halves it."""
        return self.architecture.reduction

    def to_json(self) -> str:
        """The two cells; see `MicroArchitecture`."""
        return self.architecture.to_json()


def zoo_names() -> tuple[str, ...]:
    """All names, ascending."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.json")))


def zoo_cell(name: str) -> ZooCell:
    """The cell of this name, with or without `zoo:` before it.

    Raises:
        ValueError: There is none; names them all and the nearest.
    """
    name = name.removeprefix(PREFIX)
    if name not in (known := zoo_names()):
        received = f"{name!r}{did_you_mean(name, known) or '.'}"
        raise invalid("architecture", f"one of the zoo: {', '.join(known)}", received)
    content = json.loads((_FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    published = content["published"]
    architecture = MicroArchitecture.parse(json.dumps({part: content[part] for part in PARTS}))
    return ZooCell(
        name,
        content["title"],
        content["source"],
        architecture,
        content["output"] == "all",
        published["filters"],
        published["cells"],
        published["parameters_millions"],
        published["test_error_percent"],
        published["cutout"],
        content["note"],
    )
