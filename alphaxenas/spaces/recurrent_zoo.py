"""Published recurrent cells, as their authors print them, with the size of the published model."""

from __future__ import annotations

from typing import NamedTuple

from alphaxenas.spaces.recurrent import RecurrentCell
from alphaxenas.suggestions import check_name


class PublishedCell(NamedTuple):
    """A published recurrent cell.

    Attributes:
        title: As its authors call it.
        source: The publication.
        text: The cell, in its authors' form.
        units: Of the published model of the Penn Treebank.
        parameters: Of that model, in millions, as published.
    """

    title: str
    source: str
    text: str
    units: int
    parameters: float

    @property
    def cell(self) -> RecurrentCell:
        """The cell."""
        return RecurrentCell.parse(self.text)


_DARTS = "Liu, Simonyan, Yang 2019, DARTS: Differentiable Architecture Search"
RECURRENT_ZOO: dict[str, PublishedCell] = {
    "enas_rnn": PublishedCell(
        "ENAS (as DARTS records it)",
        "Pham, Guan, Zoph, Le, Dean 2018, Efficient Neural Architecture Search, figure 6",
        "Genotype(recurrent=[('tanh', 0), ('tanh', 1), ('relu', 1), ('tanh', 3), ('tanh', 3), ('relu', 3), "
        "('relu', 4), ('relu', 7), ('relu', 8), ('relu', 8), ('relu', 8)], concat=[2, 5, 6, 9, 10, 11])",
        748,
        24.0,  # ENAS's published code makes 22.03 million with the 748 units of its own script
    ),
    "darts_rnn_v1": PublishedCell(
        "DARTS (first order)",
        _DARTS,
        "Genotype(recurrent=[('relu', 0), ('relu', 1), ('tanh', 2), ('relu', 3), ('relu', 4), ('identity', 1), "
        "('relu', 5), ('relu', 1)], concat=range(1, 9))",
        850,
        23.0,
    ),
    "darts_rnn_v2": PublishedCell(
        "DARTS (second order)",
        _DARTS,
        "Genotype(recurrent=[('sigmoid', 0), ('relu', 1), ('relu', 1), ('identity', 1), ('tanh', 2), ('sigmoid', 5), "
        "('tanh', 3), ('relu', 5)], concat=range(1, 9))",
        850,
        23.0,
    ),
    "nao_rnn": PublishedCell(
        "NAO",
        "Luo, Tian, Qin, Chen, Liu 2018, Neural Architecture Optimization",
        "0 1 0 1 1 1 3 0 4 1 4 1 5 1 1 1 7 1 1 1 1 2",
        850,
        27.0,
    ),
}


def recurrent_zoo_cell(name: str) -> PublishedCell:
    """The published cell of this name.

    Raises:
        ValueError: There is none; names all and the nearest.
    """
    return RECURRENT_ZOO[check_name("recurrent cell", name, RECURRENT_ZOO)]
