"""What a study compares, as texts that fit on a command line, in a profile and in a journal: tables and controllers.

random,evolution,guided:plan=rollouts,surrogate=gp,local      four controllers, one of them with two settings
FILE code=COLUMN signal=COLUMN report=COLUMN               one table
FILE code=COLUMN signal=ACCURACY,min:LATENCY               one with two signals, of the second of which less is better
FILE code=COLUMN signal=ACCURACY,known:LATENCY             and which searches know before they query an architecture
"""

from __future__ import annotations

import math
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from alphaxenas.suggestions import invalid

CHAINS_TABLE = "chains"
"""Names the stored table of titu1994's 1,296 networks."""
DIGITS_TABLE = "digits"
"""Names the table that needs no file: small networks, really trained on scikit-learn's digits."""
OPTIMA = ("optimum", "first-optimum")
"""Targets: any row with the best signal, or of several such rows the first alone, as figures published for one
architecture have it.
"""
LESS = "min:"
"""Before the name of a signal: less is better."""
KNOWN = "known:"
"""The same, and a search knows it of every architecture before it queries one, as sizes and latencies can be known."""
_NAME = r"[A-Za-z0-9_][A-Za-z0-9._-]*"


class Signal(NamedTuple):
    """A column that a search looks at.

    Attributes:
        column: Of the table.
        more: Whether more is better.
        known: Whether it is known before an architecture is queried.
    """

    column: str
    more: bool
    known: bool


@dataclass(frozen=True)
class ControllerChoice:
    """A controller with settings that differ from its defaults.

    Attributes:
        name: As in the catalogue of controllers.
        settings: Keyword arguments of its class, as pairs.
    """

    name: str
    settings: tuple[tuple[str, Any], ...] = ()

    @property
    def label(self) -> str:
        """`name` or `name:setting=value,setting=value`, the settings in the order given."""
        settings = ",".join(f"{name}={_written(value)}" for name, value in self.settings)
        return f"{self.name}:{settings}" if settings else self.name

    @property
    def folder(self) -> str:
        """The label as the name of a folder."""
        return self.label.replace(":", ",").replace("/", "_")


@dataclass(frozen=True)
class TableChoice:
    """A table and which of its columns mean what; `alphaxenas.tabular.benchmark_tables.read_table` says what is
    allowed.

    Attributes:
        path: The file.
        code: Column that names the architecture.
        signal: Column that the search sees, more is better; `min:COLUMN` where less is. Several with commas are a
            search for their front; `known:COLUMN` is known before a query, and less is better.
        report: Column that is only reported, such as test accuracy; empty for none.
        cost: Column of seconds that a query would have taken; empty for none.
        space: `auto`, `table`, `nasbench101` or `nasbench201`.
        where: Only rows whose column has this value, as `(column, value)` pairs.
        at_most: Only architectures whose column is at most this number are searched, as `(column, number)` pairs.
        repeats: `mean` averages the rows of one architecture; empty makes them an error.
        epochs: Budget, where the table has several; 0 where it has one.
        same_signal_and_report: Allow the report column to be the signal.
        name: How the table is called in folders and figures; by default file and signal.
    """

    path: str
    code: str = "module_hash"
    signal: str = ""
    report: str = ""
    cost: str = ""
    space: str = "auto"
    where: tuple[tuple[str, str], ...] = ()
    at_most: tuple[tuple[str, float], ...] = ()
    repeats: str = ""
    epochs: int = 0
    same_signal_and_report: bool = False
    name: str = ""

    def __post_init__(self) -> None:
        stem = re.sub(r"(\.csv|\.gz|\.npz|\.tfrecord)+$", "", Path(self.path).name)
        parts = [
            stem,
            *(value for _, value in self.where),
            *(f"{column}-at-most-{most:g}" for column, most in self.at_most),
            *([f"{self.epochs}epochs"] if self.epochs else ()),
            self.signal,
        ]
        name = self.name or re.sub(r"[^A-Za-z0-9._-]+", "-", "-".join(filter(None, parts))).lstrip("-.")
        object.__setattr__(self, "name", name)
        for word, value, rule, expected in (
            ("signal", self.signal, bool(self.signal), "a column"),
            ("name", name, re.fullmatch(_NAME, name), "letters, digits, '.', '_', '-'"),
        ):
            if not rule:
                raise invalid(word, expected, repr(value), f"of the table {self.path}")

    def description(self) -> dict[str, Any]:
        """All but the folder of the file, as JSON values: where a table lies does not change what it says."""
        return {
            "name": self.name,
            "file": Path(self.path).name,
            "code": self.code,
            "signal": self.signal,
            "report": self.report,
            "cost": self.cost,
            "space": self.space,
            "where": [list(pair) for pair in self.where],
            "at_most": [list(pair) for pair in self.at_most],
            "repeats": self.repeats,
            "epochs": self.epochs,
        }


def parse_controllers(text: str, parameter: str = "controllers") -> tuple[ControllerChoice, ...]:
    """Controllers written as `name,name:setting=value,setting=value,name`.

    Args:
        text: A part with `=` but without `:` in front of it is a further setting of the controller before it. Values
            are `true`, `false`, numbers, or else texts. An empty text means no controller.
        parameter: Where the text comes from, for messages.

    Raises:
        ValueError: No such controller, an unreadable setting, or a controller given twice.
    """
    from alphaxenas.controllers.catalogue import CONTROLLERS

    found: list[tuple[str, dict[str, Any]]] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        head, colon, rest = part.partition(":")
        if colon or "=" not in part:
            if head not in CONTROLLERS:
                raise invalid(
                    parameter,
                    f"names among {', '.join(CONTROLLERS)}, each with settings as in name:setting=value,setting=value",
                    repr(part),
                )
            found.append((head, {}))
            part = rest
            if not colon:
                continue
        name, equals, value = part.partition("=")
        if not found or not equals or not name.isidentifier() or not value or name in found[-1][1]:
            raise invalid(
                parameter, "settings as in name:setting=value,setting=value, each once", f"{part!r} in {text!r}"
            )
        found[-1][1][name] = _value(value)
    choices = tuple(ControllerChoice(name, tuple(settings.items())) for name, settings in found)
    folders = [choice.folder for choice in choices]
    for choice in choices:
        if folders.count(choice.folder) > 1:
            raise invalid(parameter, "every controller once", f"{choice.label} twice")
    return choices


def parse_table(text: str, folder: Path | str = ".") -> TableChoice:
    """A table written as `FILE code=COLUMN signal=COLUMN ...`, quoted as in a shell where names contain blanks.

    Args:
        text: After the file, any of the attributes of `TableChoice`; `where=COLUMN=VALUE` and `at_most=COLUMN=NUMBER`
            may be repeated.
        folder: What a relative path is meant from.

    Raises:
        ValueError: An unreadable or unknown word, or a missing one.
    """
    try:
        file, *words = shlex.split(text)
    except ValueError as error:
        raise invalid("tables", "FILE and words as in signal=COLUMN", f"{text!r} ({error})") from None
    known = [name for name in TableChoice.__dataclass_fields__ if name != "path"]
    values: dict[str, Any] = {}
    pairs: dict[str, list] = {"where": [], "at_most": []}
    for word in words:
        name, equals, value = word.partition("=")
        if name not in known or not equals or name in values:
            raise invalid(
                "tables",
                f"FILE and, each once, some of {', '.join(known)} as in signal=COLUMN",
                f"{word!r} in {text!r}",
            )
        if name in pairs:
            pairs[name].append((parse_where if name == "where" else parse_at_most)(value))
        else:
            values[name] = value
    for name, kind in (("epochs", int), ("same_signal_and_report", bool)):
        if name in values:
            value = _value(values[name])
            if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
                raise invalid(name, kind.__name__, repr(values[name]), "in `tables`")
            values[name] = value
    place = str(Path(folder) / Path(file).expanduser())
    return TableChoice(place, where=tuple(pairs["where"]), at_most=tuple(pairs["at_most"]), **values)


def parse_where(text: str) -> tuple[str, str]:
    """`COLUMN=VALUE` as a pair. Raises `ValueError`."""
    column, equals, value = text.partition("=")
    if not column or not equals:
        raise invalid("where", "COLUMN=VALUE", repr(text))
    return column, value


def parse_at_most(text: str) -> tuple[str, float]:
    """`COLUMN=NUMBER` as a pair. Raises `ValueError`."""
    column, equals, value = text.rpartition("=")
    number = _value(value)
    if not column or not equals or isinstance(number, (str, bool)) or not (math.isfinite(number) and number > 0):
        raise invalid("at_most", "COLUMN=NUMBER with a number above 0", repr(text))
    return column, float(number)


def parse_signals(text: str) -> tuple[Signal, ...]:
    """The columns of a signal and what is wanted of them.

    Args:
        text: `COLUMN`, `min:COLUMN`, or several of these with commas, of which the later ones may be `known:COLUMN`.

    Raises:
        ValueError: A column is empty or comes twice, or the first one is known.
    """
    signals = []
    for part in (part.strip() for part in text.split(",")):
        known, less = part.startswith(KNOWN), part.startswith((LESS, KNOWN))
        signals.append(Signal(part.removeprefix(KNOWN if known else LESS), not less, known))
    columns = [one.column for one in signals]
    if not all(columns) or len(set(columns)) < len(columns):
        raise invalid("signal", f"different columns with commas, {LESS!r} before those of which less is better", text)
    if signals[0].known:
        raise invalid("signal", f"first a column that only queries tell, without {KNOWN!r}", text)
    return tuple(signals)


def parse_target(text: str) -> tuple[str, float]:
    """What a search is to meet.

    Args:
        text: One of `OPTIMA`; a number below 1, a top share of the rows; a number above 1 or `>=` and any number, a
            value of the signal.

    Returns:
        `(the text, 0)` for one of `OPTIMA`, `("share", share)` or `("value", value)`.

    Raises:
        ValueError: The text is none of these.
    """
    if text in OPTIMA:
        return text, 0.0
    marked = text.startswith(">=")
    number = _value(text.removeprefix(">="))
    if (
        isinstance(number, bool)
        or not isinstance(number, (int, float))
        or not math.isfinite(number)
        or not (marked or 0 < number < 1 or number > 1)
    ):
        others = "a share between 0 and 1 such as 0.001, or a value of the signal such as 94.0 or '>=0.94'"
        raise invalid("target", f"{', '.join(OPTIMA)}, {others}", repr(text))
    return ("value" if marked or number > 1 else "share"), float(number)


def _value(text: str) -> Any:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _written(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
