"""A stored Keras model as LiteRT files (`.tflite`) of three precisions, each loaded again and measured on its own.

Conversion and measurement happen in a process of their own, `litert_worker`, which imports nothing of this project:
what the files do there they do for everybody, and whatever the converter stumbles over, aborts included, ends that
process alone. `<name>.litert.json` keeps what was found.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from alphaxenas.data.images import ImageData
from alphaxenas.data.stored import in_chunks, pick
from alphaxenas.runs.files import write_json

PRECISIONS = ("float32", "float16", "int8")
CALIBRATION_IMAGES = 200
"""Training images by which the ranges of int8 are found, at equal distances."""
_WORKER = Path(__file__).with_name("litert_worker.py")


def report_of(file: Path) -> Path:
    """Where the findings about a model's LiteRT files are kept.

    Args:
        file: The `.keras` file.
    """
    return file.with_suffix(".litert.json")


def save_litert(file: Path, data: ImageData, test: bool) -> dict[str, Any]:
    """Writes `<name>.float32.tflite`, `.float16.tflite` and `.int8.tflite` beside a model, and what was found of them.

    Args:
        file: The `.keras` file, of `export_keras`.
        data: Its training images calibrate, its test images test.
        test: Whether the test images may be used: of a network that was tested.

    Returns:
        By precision: `bytes`, `test_accuracy` (where tested), `milliseconds` (median for one image on one thread) and
        `runtime`, or `error` where it cannot be converted.
    """
    images, labels = data.train.images, data.test.labels
    step = max(1, len(images) // CALIBRATION_IMAGES)
    with tempfile.TemporaryDirectory() as place:
        np.save(Path(place, "calibration.npy"), pick(images, np.arange(0, len(images), step)[:CALIBRATION_IMAGES])[:])
        command = [sys.executable, "-I", str(_WORKER), str(file.resolve()), f"{place}/calibration.npy"]
        command.append(str(len(labels) if test else 0))
        with open(Path(place, "errors"), "w+b") as errors:
            worker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, cwd=place)
            answers = _answers(worker, data if test else None)
            errors.seek(max(0, errors.seek(0, 2) - 2_000))
            last = errors.read().decode("utf-8", "replace").strip().splitlines()[-1:]
    found: dict[str, Any] = {}
    for precision in PRECISIONS:
        answer = answers.get(precision, {"error": f"the converter ended with {worker.returncode}: {' '.join(last)}"})
        if classes := answer.pop("classes", ""):
            answer["test_accuracy"] = float(np.mean(np.frombuffer(bytes.fromhex(classes), "<u4") == labels))
        found[precision] = answer
    write_json(report_of(file), found)
    return found


def _answers(worker: subprocess.Popen[bytes], data: ImageData | None) -> dict[str, Any]:
    """Sends the test images once for every precision, and gathers one line of JSON for each."""
    answers: dict[str, Any] = {}
    assert worker.stdin is not None and worker.stdout is not None
    try:
        for precision in PRECISIONS:
            if (started := worker.stdout.readline()) and "error" in (answer := json.loads(started)):
                answers[precision] = answer
                continue
            for chunk in in_chunks(data.test.images) if data else ():
                worker.stdin.write(np.ascontiguousarray(chunk).data)
            worker.stdin.flush()
            if line := worker.stdout.readline():
                answers[precision] = json.loads(line)
    except BrokenPipeError:
        pass  # the worker has died; what is missing is told with its exit status
    finally:
        worker.stdout.close()
        try:
            worker.stdin.close()
        except BrokenPipeError:
            pass
        worker.wait()
    return answers
