"""Reads an architecture in any known form: our text and JSON, a zoo name, or what DARTS, ENAS and NAO print."""

from __future__ import annotations

import json
import re
from pathlib import Path

from alphaxenas.spaces.cell import Cell
from alphaxenas.spaces.checks import NUMBERS
from alphaxenas.spaces.convnet import ConvNet, is_convnet_text
from alphaxenas.spaces.forms.genotype import Genotype, is_genotype, read_genotype
from alphaxenas.spaces.forms.nao_notation import FIRST_SIZE, TOKENS_PER_NODE, from_nao_graph, from_nao_tokens
from alphaxenas.spaces.micro import PARTS, MicroArchitecture
from alphaxenas.spaces.notation import input_name
from alphaxenas.spaces.zoo import PREFIX, ZooCell, zoo_cell
from alphaxenas.suggestions import invalid

ParsedArchitecture = Cell | MicroArchitecture | ZooCell | Genotype | ConvNet

_NAME = r"[A-Za-z][\w-]*"
_ROOT = Path(__file__).resolve().parents[2]


FORMS = (
    ("a cell", "prev:conv3x3 + prev2:sep5x5; b0:identity | prev:maxpool3x3"),
    ("a normal / a reduction cell", "prev:sep3x3 + prev2:identity / prev:maxpool3x3 + prev2:sep5x5"),
    ("a name of the zoo", "darts_v2"),
    (
        "what DARTS logs",
        "Genotype(normal=[('sep_conv_3x3', 1), ('skip_connect', 0)], normal_concat=range(2, 3), reduce=...)",
    ),
    ("ENAS's and NAO's integers, eight a node", "1 0 0 3 1 2 0 4"),
    ("NAO's tokens, twelve a node", "1 8 16 2 7 14 1 12 16 2 7 14"),
    ("NAO's graphs", '{"conv_dag": {"node_1": ...}, "reduc_dag": ...}'),
    ("a plain convolution net", "64 conv pool conv; 128 pool conv [conv conv]; 128 conv pool; gelu; max"),
    ("JSON of cells", '{"blocks": [{"inputs": ["prev", "prev2"], "operations": [...], "combination": "add"}]}'),
    ("a file that holds one of these", "exp/quick/final/architecture.json"),
)
"""Forms that are read, with an example each."""


def parse_architecture(text: str) -> ParsedArchitecture:
    """The architecture that a person wrote or copied.

    Args:
        text: In one of `FORMS`. A file may also be a model card, or the folder of a final training or of its run.

    Returns:
        A `Cell`, a `MicroArchitecture`, a `ZooCell`, a `Genotype` or a `ConvNet`.

    Raises:
        ValueError: Says where what is wrong and what is legal there, and lists the forms.
    """
    try:
        file = _file(text.strip())
        architecture = _parse(text) if file is None else _from_file(file)
        if isinstance(architecture, MicroArchitecture):
            _check_inputs_are_read(architecture)
        return architecture
    except ValueError as error:
        forms = "".join(f"\n  {name}: {example}" for name, example in FORMS)
        raise ValueError(f"{error}\nForms that are read, with an example each:{forms}") from None


def with_absolute_file(text: str) -> str:
    """An architecture as it can be read from the project's root, too: a file of another current folder by its path.

    Args:
        text: As of `parse_architecture`; what is no file, or one of the project's root, stays as it is.
    """
    try:
        file = _file(text.strip()) if Path.cwd() != _ROOT else None
    except ValueError:  # whoever parses the text says what is wrong
        return text
    return text if file is None else str(file.absolute())


def _parse(text: str) -> ParsedArchitecture:
    written = text.strip()
    if is_genotype(written) and not written.startswith("{"):
        return read_genotype(written)
    if is_convnet_text(written):
        return ConvNet.parse(written)
    if written.startswith(PREFIX) or re.fullmatch(_NAME, written):
        return zoo_cell(written)
    if written.startswith(("{", "[")) and not re.fullmatch(NUMBERS, written):
        return _from_json(written)
    if re.fullmatch(NUMBERS, written):
        return from_nao_tokens(written) if _are_tokens(written) else MicroArchitecture.from_integers(written)
    return MicroArchitecture.parse(written) if "/" in written else Cell.parse(written)


def _from_file(path: Path) -> ParsedArchitecture:
    """What a file holds, which is no name of another file."""
    try:
        return _parse(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise ValueError(f"Invalid value for `architecture`. Expected a file of text. Received: {path}") from None
    except (ValueError, OSError) as error:
        raise ValueError(f"In the file {path}: {error}") from None


def _file(written: str) -> Path | None:
    """The file that a text names, from here or from the project's root; None where it names none.

    Raises:
        ValueError: It looks like a file's name, and there is no such file; or it is a folder without an architecture.
    """
    if len(written) > 1000 or set(written) & set(":;|+{}[]()\n"):
        return None
    for path in (Path(written).expanduser(), _ROOT / written):
        if path.is_dir() and "/" in written:
            places = [path / "architecture.json", path / "final" / "architecture.json"]
            if found := next(filter(Path.is_file, places), None):
                return found
            expected = "a file, or a folder that has final/architecture.json, as notebook 04 writes it"
            raise invalid("architecture", expected, str(path))
        if path.is_file() and (path.suffix or "/" in written):
            return path
    if written.endswith(".json"):
        raise invalid("architecture", "a file that exists", repr(written))
    return None


def _are_tokens(written: str) -> bool:
    """Whether integers are NAO's tokens. Their number says so, or else a size token, which every such sequence has and
    which is larger than any number of the shorter form for up to twelve nodes.
    """
    numbers = list(map(int, re.findall(r"\d+", written)))
    long, short = len(numbers) % (2 * TOKENS_PER_NODE) == 0, len(numbers) % 8 == 0
    return long if long != short else max(numbers, default=0) >= FIRST_SIZE


def _from_json(written: str) -> ParsedArchitecture:
    try:
        content = json.loads(written)
    except json.JSONDecodeError:
        content = None
    fields = set(content) if isinstance(content, dict) else set()
    if fields & {"conv_dag", "reduc_dag"}:
        return from_nao_graph(written)
    if "genotype" in fields:
        return read_genotype(str(content["genotype"]))
    # Both are written by this project: `architecture.json` of a final training, and a model card.
    own = content.get("architecture", content) if isinstance(content, dict) else None
    if isinstance(own, dict) and isinstance(own.get("text"), str):
        return _parse(own["text"])
    return MicroArchitecture.parse(written) if fields & set(PARTS) else Cell.parse(written)


def _check_inputs_are_read(architecture: MicroArchitecture) -> None:
    """Refuses pairs of cells that leave the previous cell out: computed from the older ones alone, every other cell
    would be in vain.
    """
    for part, cell in zip(PARTS, architecture.cells):
        if not any(0 in row[:2] for row in cell.rows):
            read = "; ".join(
                f"b{number} reads {', '.join(map(input_name, row[:2]))}" for number, row in enumerate(cell.rows)
            )
            names = "prev; 1 in ENAS's integers, 2 in NAO's tokens"
            expected = f"at least one block of the {part} cell that reads the previous cell ({names})"
            raise invalid("architecture", expected, f"a cell that ignores it, {read}")
