"""A space given as a list of codes of one length: any benchmark whose architectures are rows of a table.

The token sequence has one token per position of the code. A token is legal if some code of the list continues with it,
so every sequence is a row of the table, whether the list holds every combination or a few.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from alphaxenas.contracts import Tokens
from alphaxenas.spaces.checks import read_fields, set_fields
from alphaxenas.spaces.features import columns_of
from alphaxenas.spaces.listed.trie import ListedSpace
from alphaxenas.suggestions import invalid

SEPARATORS = ",;|:-/ _"
"""What may stand between the values of a code, in the order in which they are tried."""


@dataclass(frozen=True)
class Code:
    """One row's code.

    Attributes:
        values: One value per position.
        separator: What stands between them in the table's own spelling; empty for values of one character.
    """

    values: tuple[str, ...]
    separator: str = ""

    def __str__(self) -> str:
        return self.separator.join(self.values)

    def to_json(self) -> str:
        """JSON text, one line."""
        return json.dumps({"code": list(self.values)})


def split_codes(texts: Sequence[str]) -> tuple[list[tuple[str, ...]], str]:
    """Codes as they stand in a column, taken apart.

    The separator is the first of `SEPARATORS` between which every code has equally many values, none of them empty,
    else the first that occurs at all; codes without any are sequences of single characters. Brackets around a code are
    dropped.

    Args:
        texts: At least one code.

    Returns:
        The values of every code, and the separator ("" for single characters).

    Raises:
        ValueError: A code has another number of values than most, or an empty value; `args[1]` is its place.
    """
    bare = [text.strip().strip("[]()|").strip() for text in texts]
    occurring = [mark for mark in SEPARATORS if any(mark in text for text in bare)]
    separator = next((mark for mark in occurring if _is_even(bare, mark)), occurring[0] if occurring else "")
    codes = [tuple(value.strip() for value in text.split(separator)) if separator else tuple(text) for text in bare]
    length = Counter(map(len, codes)).most_common(1)[0][0]
    example = next(text for text, code in zip(texts, codes) if len(code) == length)
    for place, code in enumerate(codes):
        if len(code) != length or not code or not all(code):
            raise ValueError(
                f"Expected {length} values{f' between {separator!r}' if separator else ' of one character'}, "
                f"as in {example!r}. Received: {texts[place]!r}",
                place,
            )
    return codes, separator


def _is_even(texts: Sequence[str], separator: str) -> bool:
    """Whether every text has equally many values, two at least and none empty."""
    values = [text.split(separator) for text in texts]
    return len(values[0]) > 1 and all(len(each) == len(values[0]) and all(map(str.strip, each)) for each in values)


@dataclass(frozen=True, repr=False)
class Table(ListedSpace):
    """The rows of a table as a space (`alphaxenas.contracts.SearchSpace`).

    Attributes:
        codes: Different codes of one length.
        positions: A name per position, unique; `0`, `1`, ... by default.
        separator: What stands between the values of a code in its text form and its key; empty when all values are
            single characters.
        vocabulary: `position=value` for every value that occurs there, values in ascending order.
        max_length: Length of the codes.
        value_tokens: For every position the values that occur there, ascending, and the token of each.

    Example:
        >>> space = Table((("3x3", "max"), ("3x3", "avg"), ("5x5", "max")), separator="-")
        >>> space.vocabulary
        ('0=3x3', '0=5x5', '1=avg', '1=max')
        >>> [str(other) for other in space.neighbours(space.parse("3x3-max"))]
        ['5x5-max', '3x3-avg']
    """

    codes: tuple[tuple[str, ...], ...]
    positions: tuple[str, ...] = ()
    separator: str = ""
    vocabulary: tuple[str, ...] = field(init=False, compare=False)
    max_length: int = field(init=False, compare=False)
    value_tokens: tuple[dict[str, int], ...] = field(init=False, compare=False)
    _features: _Features = field(init=False, compare=False)
    __hash__ = ListedSpace.__hash__

    def __post_init__(self) -> None:
        codes = tuple(tuple(code) for code in self.codes)
        if not codes:
            raise invalid("codes", "at least one code", "none")
        length = len(codes[0])
        for place, code in enumerate(codes):
            if len(code) != length or not length:
                expected = length or "one or more"
                raise invalid("codes", f"{expected} values", repr(code), f"at place {place}")
        positions = tuple(self.positions) or tuple(map(str, range(length)))
        if len(positions) != length or len(set(positions)) < length:
            raise invalid("positions", f"{length} different names", repr(positions))
        if not self.separator and any(len(value) != 1 for code in codes for value in code):
            set_fields(self, separator=",")
        # Numbers in their own order, so that 10 comes after 9.
        kinds = [sorted({code[place] for code in codes}, key=_by_number) for place in range(length)]
        vocabulary = [f"{name}={value}" for name, values in zip(positions, kinds) for value in values]
        starts = np.cumsum([0] + [len(values) for values in kinds]).tolist()
        tokens = tuple(
            {value: start + rank for rank, value in enumerate(values)} for start, values in zip(starts, kinds)
        )
        cells = {
            tuple([numbers[value] for numbers, value in zip(tokens, code)]): Code(code, self.separator)
            for code in codes
        }
        if len(cells) < len(codes):
            twice = next(code for code, number in Counter(codes).items() if number > 1)
            raise invalid("codes", "every code once", f"{twice!r} more than once")
        fields = {"codes": codes, "positions": positions, "vocabulary": tuple(vocabulary), "value_tokens": tokens}
        self._define(cells, (codes, positions, self.separator), **fields, _features=_Features.of(positions, kinds))

    def __repr__(self) -> str:
        return f"Table({len(self.codes):,} codes of {self.max_length} positions)"

    def encode(self, architecture: Code) -> Tokens:
        """The tokens of a code; `decode(encode(code)) == code`.

        Raises:
            ValueError: The table has no such code.
        """
        try:
            pairs = zip(self.value_tokens, architecture.values, strict=True)
            tokens = tuple([numbers[value] for numbers, value in pairs])
            self._cells[tokens]
        except (KeyError, ValueError):
            raise self._unknown(architecture.values) from None
        return tokens

    def key(self, architecture: Code) -> str:
        """The code in the table's spelling."""
        return self.separator.join(architecture.values)

    def neighbours(self, architecture: Code) -> list[Code]:
        """The codes of the table that differ in one value, in ascending order of position and token."""
        tokens, cells = self.encode(architecture), self._cells
        found = []
        for place, numbers in enumerate(self.value_tokens):
            before, own, after = tokens[:place], tokens[place], tokens[place + 1 :]
            for other in numbers.values():
                if other != own and (code := cells.get((*before, other, *after))) is not None:
                    found.append(code)
        return found

    def features(self, architecture: Code) -> np.ndarray:
        """The code itself, how often it has which value, and what its values are as numbers.

        One entry per word of the vocabulary, 1 where the code has it; one per value that occurs at two positions or
        more, its count (operations of a cell, say, that cost the same wherever they stand); one per position whose
        values are amounts (numbers of channels, say), and their sum. Amounts are three numbers or more, not all of one
        digit.

        Returns:
            float32 of shape `[len(feature_names())]`.
        """
        return self._features.rows[list(self.encode(architecture))].sum(0)

    def feature_names(self) -> tuple[str, ...]:
        """What each entry of `features` means."""
        return self._features.names

    def feature_groups(self) -> dict[str, tuple[slice, str]]:
        """Which entries of `features` belong together."""
        return dict(self._features.groups)

    def parse(self, text: str) -> Code:
        """A code from its text in the table's spelling, or its JSON form.

        Raises:
            ValueError: The table has no such code; says which position is wrong and what occurs there.
        """
        text = text.strip()
        if text.startswith("{"):
            values = _read_json(text)
        else:
            values = tuple(value.strip() for value in text.split(self.separator)) if self.separator else tuple(text)
        return self._cells[self.encode(Code(values, self.separator))]

    def _unknown(self, values: Sequence[str]) -> ValueError:
        """What is wrong with values that are no code of the table."""
        text = self.separator.join(map(str, values))
        if len(values) != self.max_length:
            example = self.separator.join(self.codes[0])
            return invalid("architecture", f"{self.max_length} values, as in {example!r}", repr(text))
        for position, numbers, value in zip(self.positions, self.value_tokens, values):
            if value not in numbers:
                return invalid("architecture", f"one of {', '.join(numbers)}", repr(value), f"at position {position}")
        return invalid("architecture", f"one of the table's {len(self.codes):,} codes", f"{text!r}, which it lacks")


@dataclass(frozen=True)
class _Features:
    """How codes become numbers: the features of a code are the sum of the rows of its tokens.

    Attributes:
        names: What each column means.
        groups: Columns that belong together, with their kind.
        rows: float32 `[vocabulary, columns]`.
    """

    names: tuple[str, ...]
    groups: dict[str, tuple[slice, str]]
    rows: np.ndarray

    @classmethod
    def of(cls, positions: Sequence[str], kinds: Sequence[Sequence[str]]) -> _Features:
        """For the values `kinds` that occur at `positions`."""
        words = [(position, value) for position, values in zip(positions, kinds) for value in values]
        occurring = Counter(value for _, value in words)
        shared = sorted((value for value, number in occurring.items() if number > 1), key=_by_number)
        scales = [position for position, values in zip(positions, kinds) if _is_scale(values)]
        amounts = np.array(
            [[float(value) if position == scale else 0.0 for scale in scales] for position, value in words]
        )
        blocks = {
            "code": ("one-hot", [f"{position}={value}" for position, value in words]),
            "counts": ("numbers", [f"number of {value}" for value in shared]),
            "levels": ("numbers", [f"level of {scale}" for scale in scales] + ["sum of levels"] * bool(scales)),
        }
        counts = np.array([[value == other for other in shared] for _, value in words])
        rows = [np.eye(len(words)), counts, amounts, amounts.sum(1, keepdims=True)[:, : len(scales)]]
        return cls(*columns_of(blocks), np.concatenate(rows, axis=1).astype(np.float32))


def _is_scale(values: Sequence[str]) -> bool:
    """Whether values are amounts: three numbers or more, not all of a single digit, which are mostly labels."""
    return (
        len(values) > 2
        and not any(_by_number(value)[0] for value in values)
        and any(len(value) > 1 for value in values)
    )


def _by_number(value: str) -> tuple[bool, float, str]:
    """Sorts numbers by size, before everything else."""
    try:
        number = float(value)
    except ValueError:
        number = math.inf
    return not math.isfinite(number), number if math.isfinite(number) else 0.0, value


def _read_json(text: str) -> tuple[str, ...]:
    example = '{"code": [values as text]}'
    values = read_fields(text, example, code=list)["code"]
    if not all(isinstance(value, str) for value in values):
        raise invalid("architecture", example, repr(text[:80]))
    return tuple(values)
