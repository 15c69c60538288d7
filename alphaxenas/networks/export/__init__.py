"""Trained networks as Keras, SavedModel, ONNX and LiteRT files."""

import importlib.util
from collections.abc import Collection

from alphaxenas.suggestions import invalid

EXPORT_FORMATS = ("keras", "savedmodel", "onnx", "litert")


def require_formats(formats: Collection[str]) -> None:
    """Raises ValueError where the package for a format is missing, before anything is trained for it."""
    if "onnx" in formats and importlib.util.find_spec("onnx") is None:
        raise invalid(
            "export_formats", "the package onnx to be installed for 'onnx': pip install onnx", "no such package"
        )
