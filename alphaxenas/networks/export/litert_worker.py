"""Converts a `.keras` file to LiteRT and measures what came out. `litert.save_litert` runs it, by itself.

    python litert_worker.py MODEL.keras CALIBRATION.npy TEST_IMAGES

For each precision a line of JSON says whether it was converted; then that many test images are read from the standard
input, as bytes, and a second line has what was measured.
"""

import json
import math
import os
import statistics
import sys
import time
from pathlib import Path

# What the user's own Keras is configured to does not matter here; the working folder is an empty one.
os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow", "KERAS_HOME": os.getcwd()}
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
import numpy as np
import tensorflow as tf

BATCH, WARM, REPEATS, SECONDS = 100, 5, 101, 2.0


def convert(model: tf.keras.Model, precision: str, calibration: np.ndarray) -> bytes:
    """The content of a `.tflite` file.

    Args:
        model: From pixels `[B, h, w, c]` in 0..255 to probabilities.
        precision: `float32`, `float16` (weights), or `int8` (weights and arithmetic; operations that have no int8 form
            stay float32, and so do input and output).
        calibration: uint8 `[n, h, w, c]`.
    """
    pixels = tf.TensorSpec([None, *model.input_shape[1:]], tf.float32, name="pixels")
    call = tf.function(lambda images: model(images, training=False), input_signature=[pixels], autograph=False)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([_frozen(call.get_concrete_function())])
    if precision != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if precision == "int8":
        converter.representative_dataset = lambda: ([image[None].astype(np.float32)] for image in calibration)
        operations = tf.lite.OpsSet
        converter.target_spec.supported_ops = [operations.TFLITE_BUILTINS_INT8, operations.TFLITE_BUILTINS]
    return converter.convert()


def _frozen(function):
    """The function with its variables as constants: the runtime of a device has no variables."""
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    return convert_variables_to_constants_v2(function)


def interpreter(path: Path, batch: int, shape: tuple[int, ...]):
    """A file loaded by LiteRT, or by TensorFlow's own copy of it, on one thread; and what gives its classes.

    Args:
        path: The file.
        batch: Images at once.
        shape: Of an image.
    """
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        Interpreter = tf.lite.Interpreter
    loaded = Interpreter(model_path=str(path), num_threads=1)
    place, result = loaded.get_input_details()[0]["index"], loaded.get_output_details()[0]["index"]
    loaded.resize_tensor_input(place, [batch, *shape])
    loaded.allocate_tensors()

    def classes(images: np.ndarray) -> np.ndarray:
        loaded.set_tensor(place, images.astype(np.float32))
        loaded.invoke()
        return loaded.get_tensor(result).argmax(1)

    return classes, Interpreter.__module__.split(".")[0]


def measure(path: Path, calibration: np.ndarray, count: int) -> dict[str, object]:
    """Size, latency and the classes of the test images.

    Args:
        path: A `.tflite` file.
        calibration: Images to measure the latency on.
        count: Test images to read.
    """
    shape = calibration.shape[1:]
    one, runtime = interpreter(path, 1, shape)
    times: list[float] = []
    started = time.perf_counter()
    for number in range(WARM + REPEATS):
        begun = time.perf_counter()
        one(calibration[number % len(calibration)][None])
        times.append(1000 * (time.perf_counter() - begun))
        if number > WARM and time.perf_counter() - started > SECONDS:
            break
    found = {"bytes": path.stat().st_size, "milliseconds": statistics.median(times[WARM:]), "runtime": runtime}
    if count:
        size, classes, several = math.prod(shape), [], interpreter(path, BATCH, shape)[0]
        for start in range(0, count, BATCH):
            images = np.zeros((BATCH, *shape), np.uint8)
            number = min(BATCH, count - start)
            images[:number] = np.frombuffer(sys.stdin.buffer.read(number * size), np.uint8).reshape(number, *shape)
            classes.append(several(images)[:number])
        found["classes"] = np.concatenate(classes).astype("<u4").tobytes().hex()
    return found


def main() -> None:
    """Converts and measures; see above."""
    file, count, answers = Path(sys.argv[1]), int(sys.argv[3]), os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever TensorFlow prints goes to the errors
    model, calibration = tf.keras.models.load_model(file, compile=False), np.load(sys.argv[2])

    def say(**values: object) -> None:
        answers.write(json.dumps(values) + "\n")
        answers.flush()

    for precision in ("float32", "float16", "int8"):
        path = file.with_suffix(f".{precision}.tflite")
        try:
            content = convert(model, precision, calibration)
        except Exception as error:  # what cannot be converted is told in the model card
            say(error=f"{type(error).__name__}: {error}".splitlines()[0][:300])
            continue
        temporary = path.with_name(f".{path.name}.partial")
        temporary.write_bytes(content)
        temporary.replace(path)
        say(converted=precision)
        say(**measure(path, calibration, count))


if __name__ == "__main__":
    main()
