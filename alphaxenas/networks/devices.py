"""TensorFlow on this machine: threads, GPU memory, a quiet start."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

BFLOAT16_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}
"""CPU features, as Linux names them, that bfloat16 convolutions are fast with; without them they are emulated, some ten
times slower.
"""


def computes_bfloat16(cpuinfo: str = "/proc/cpuinfo", nvidia: str = "/proc/driver/nvidia/gpus") -> bool:
    """Whether this machine computes bfloat16 natively, found without TensorFlow: an NVIDIA GPU with its driver, or a
    CPU that can.

    Args:
        cpuinfo: File that lists the CPU's features.
        nvidia: Folder that the driver keeps, one entry per GPU.
    """
    if Path(nvidia).is_dir() and any(Path(nvidia).iterdir()):
        return True
    try:
        return not BFLOAT16_FLAGS.isdisjoint(Path(cpuinfo).read_text().split())
    except OSError:
        return False


def prepare_tensorflow(threads: int = 0, memory_growth: bool = True, op_determinism: bool = False) -> list[str]:
    """Imports TensorFlow and sets it up; call it before anything computes.

    Args:
        threads: CPU threads of one operation; 0 = all cores.
        memory_growth: On GPUs, take memory as it is needed instead of all at once.
        op_determinism: Choose kernels that repeat themselves to the last bit, as those of a CPU do anyway. For the rest
            of this process: TensorFlow knows no way back.

    Returns:
        The devices in words, such as `["CPU:0"]` or `["CPU:0", "GPU:0"]`.
    """
    tf = load_tensorflow()
    gpus = tf.config.list_physical_devices("GPU")
    if threads and tf.config.threading.get_intra_op_parallelism_threads() != threads:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
    for gpu in gpus:
        if tf.config.experimental.get_memory_growth(gpu) != memory_growth:
            tf.config.experimental.set_memory_growth(gpu, memory_growth)
    if op_determinism:
        tf.config.experimental.enable_op_determinism()
    return [device.name.removeprefix("/physical_device:") for device in tf.config.list_physical_devices()]


def count_devices() -> int:
    """How many devices can share a training step: the GPUs or, without any, the one CPU device.

    Another process is asked, so that this one neither loads TensorFlow nor holds a GPU. Where it cannot tell, no number
    is too large here, and TensorFlow says itself what is wrong.
    """
    program = "import tensorflow as tf; print(len(tf.config.list_physical_devices('GPU')) or 1)"
    asked = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    return sys.maxsize if asked.returncode else int(asked.stdout)


def load_tensorflow() -> ModuleType:
    """The module `tensorflow`, imported without its native code's messages, which would fill notebooks."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with _native_messages_hidden():
        import tensorflow as tf

        # Python's warnings of retracing: a child is traced once per architecture by design.
        tf.get_logger().setLevel("ERROR")
        tf.config.list_physical_devices("GPU")
    return tf


@contextmanager
def _native_messages_hidden() -> Iterator[None]:
    """Hides messages of TensorFlow's native code while it is loaded, but no errors of Python."""
    sys.stderr.flush()
    kept, silent = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(silent)
