"""Parameters of a run: declared once, checked once, typed from there on."""

from alphaxenas.config.declarations import FIELDS, GROUPS, PROJECT_ROOT
from alphaxenas.config.fields import ParameterError
from alphaxenas.config.load import PROFILES, Config, configure, from_values, load_profile, parse_value

__all__ = [
    "FIELDS",
    "GROUPS",
    "PROFILES",
    "PROJECT_ROOT",
    "Config",
    "ParameterError",
    "configure",
    "from_values",
    "load_profile",
    "parse_value",
]
