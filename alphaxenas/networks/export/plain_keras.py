"""Keras as this project needs it, whatever the user's configuration says: modules import `keras` from here.

Keras reads `keras.json` in the folder KERAS_HOME, or `.keras` in the home folder, and some environment variables. What
they choose would change results, or let a training fail at its export.
"""

from __future__ import annotations

import os
from pathlib import Path

_file = Path(os.environ.get("KERAS_HOME") or Path("~/.keras").expanduser(), "keras.json")
try:
    import keras
except (ValueError, AttributeError, OSError) as error:
    raise RuntimeError(
        f"Keras does not start with its configuration file {_file}: {error} Mend or delete it."
    ) from error

if keras.config.backend() != "tensorflow":
    raise RuntimeError(
        f"Keras was imported with the backend {keras.config.backend()!r} before alphaxenas was, and cannot "
        "change it. Expected 'tensorflow'. Restart the kernel and import alphaxenas first."
    )
keras.config.set_floatx("float32")
keras.config.set_epsilon(1e-7)
keras.config.set_image_data_format("channels_last")
keras.config.set_max_epochs(None)
keras.config.set_max_steps_per_epoch(None)

__all__ = ["keras"]
