"""The parts that declarations of parameters are made of: the base of all groups, types, and `parameter` itself.

Pydantic checks values; what it knows of a parameter (its JSON schema) also gives the words of messages and the reading
of texts from a command line, see `alphaxenas.config.declarations`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import CoreSchema, core_schema

from alphaxenas.networks.devices import computes_bfloat16
from alphaxenas.networks.training.recipe import PRECISIONS

PROJECT_ROOT = Path(__file__).resolve().parents[2]

Role = Literal["data", "space", "recipe", "method", "budget", "limit", ""]
"""What a parameter is to a comparison of searches: they may differ in the method alone."""


class ParameterError(ValueError):
    """A parameter is unknown, ill-typed or impossible; the message names it, what is allowed and the nearest name."""


class Group(BaseModel):
    """Parameters that belong together. Frozen; unknown names and values of another type are refused.

    Attributes:
        role: Role of its parameters, unless they declare another.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, validate_default=True)
    role: ClassVar[Role] = ""

    def values_for(self, kind: Any, prefix: str = "") -> dict[str, Any]:
        """The parameters that a dataclass has fields for, so that no list of names has to be kept beside the two.

        Args:
            kind: The dataclass.
            prefix: What the names of parameters have before those of fields, such as `train_`.

        Returns:
            Field to value.
        """
        found = {field.name: getattr(self, prefix + field.name, None) for field in fields(kind)}
        return {name: value for name, value in found.items() if value is not None}


def parameter(
    default: Any,
    description: str,
    *,
    notebooks: str = "",
    defaults: Mapping[str, Any] | None = None,
    affects_results: bool = True,
    role: Role = "",
    controllers: Sequence[str] = (),
    prefix: str = "",
    **bounds: Any,
) -> Any:
    """Declares a parameter; the one place where it is described.

    Args:
        default: Its value where none is given.
        description: One line, for notebooks, `--help` and the documentation.
        notebooks: Numbers of the notebooks that show it, such as `"02* 07"`; with a star among those to change first.
        defaults: Notebook number to default, where a notebook's differs.
        affects_results: False for what changes no result of a run, such as where files lie.
        role: What it is to a comparison of searches; by default its group's, or `"method"` with `controllers`.
        controllers: Names of the controllers that it is handed to.
        prefix: The part of its name that these controllers leave out: `policy_units` is `units` to them.
        **bounds: Of `pydantic.Field`: `ge`, `gt`, `le`, `lt`, `pattern`.

    Returns:
        The field, to be assigned in a `Group`.
    """
    about: dict[str, Any] = {
        "notebooks": notebooks.split(),
        "defaults": dict(defaults or {}),
        "affects_results": affects_results,
        "role": role or ("method" if controllers else ""),
        "controllers": list(controllers),
        "prefix": prefix,
    }
    return Field(default, description=description, json_schema_extra=about, **bounds)


@dataclass(frozen=True)
class OneOf:
    """Annotation of a type: only these values."""

    options: tuple[Any, ...]

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        literal = core_schema.literal_schema(list(self.options))
        return core_schema.no_info_before_validator_function(self._of_their_type, literal)

    def _of_their_type(self, value: Any) -> Any:
        assert type(value) is type(self.options[0]), "True is not 1"
        return value


def _as_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _different(value: tuple[Any, ...]) -> tuple[Any, ...]:
    assert len(set(value)) == len(value), "every item once"
    return value


def _plain(value: str) -> str:
    assert "\0" not in value, "text without NUL"
    return value


def _not_blank(value: str) -> str:
    assert value.strip(), "not empty"
    return _plain(value)


def _resolved(value: str) -> str:
    try:
        return str((PROJECT_ROOT / Path(_plain(value)).expanduser()).resolve()) if value else value
    except (OSError, RuntimeError):  # links in a circle, nobody's home
        raise AssertionError("a path") from None


def _native(precision: str) -> str:
    """Resolves `auto`, so that records name what was computed with, and no other machine continues them differently."""
    return ("bfloat16" if computes_bfloat16() else "float32") if precision == "auto" else precision


Item = TypeVar("Item")
Number = Annotated[float, Field(allow_inf_nan=False)]
Natural = Annotated[int, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]
NonNegative = Annotated[Number, Field(ge=0)]
PositiveNumber = Annotated[Number, Field(gt=0)]
Share = Annotated[Number, Field(gt=0, le=1)]
"""Of something that is never empty, in (0, 1]."""
Rate = Annotated[Number, Field(ge=0, lt=1)]
"""In [0, 1): a decay or a probability that is never certain."""
Precision = Annotated[str, OneOf((*PRECISIONS, "auto")), AfterValidator(_native)]
Text = Annotated[str, AfterValidator(_plain)]
NonBlank = Annotated[str, AfterValidator(_not_blank)]
_PATH = WithJsonSchema({"type": "string", "format": "path"})
FilePath = Annotated[str, AfterValidator(_resolved), _PATH]
"""A path; relative ones are meant from the project's root, and resolved."""
Folder = Annotated[NonBlank, AfterValidator(_resolved), _PATH]
"""A path that is not empty."""
Different = Annotated[tuple[Item, ...], BeforeValidator(_as_tuple), AfterValidator(_different)]
"""Different items, possibly none; given as a list or a tuple."""
Several = Annotated[tuple[Item, ...], Field(min_length=1), BeforeValidator(_as_tuple), AfterValidator(_different)]
"""One or more different items."""
