"""Parameters of a run: declared once, checked once, typed from there on."""

from alphaxenas.config.declarations import FIELDS, GROUPS, Config
from alphaxenas.config.load import PROFILES, configure, from_values, load_profile, parse_value
from alphaxenas.config.parameter import PROJECT_ROOT, ParameterError

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
