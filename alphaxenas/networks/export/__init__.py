"""Trained networks as Keras, SavedModel, ONNX and LiteRT files."""

import importlib.util
from collections.abc import Collection

EXPORT_FORMATS = ("keras", "savedmodel", "onnx", "litert")


def require_formats(formats: Collection[str]) -> None:
    """Raises ValueError where the package for a format is missing, before anything is trained for it."""
    if "onnx" in formats and importlib.util.find_spec("onnx") is None:
        raise ValueError(
            "Invalid value for `export_formats`. Expected the package onnx to be installed for 'onnx': "
            "pip install onnx. Received: no such package"
        )
