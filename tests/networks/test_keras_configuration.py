"""What a user's Keras configuration says does not reach this project, or is named before any work."""

import json
import os
import subprocess
import sys

import pytest

from alphaxenas.config import PROJECT_ROOT

CONFIGURATION = {"floatx": "float16", "epsilon": 0.5, "backend": "torch", "image_data_format": "channels_first"}
SHOW = (
    "from alphaxenas.networks.export.plain_keras import keras\n"
    "c = keras.config\n"
    "print(c.backend(), c.floatx(), c.epsilon(), c.image_data_format(), c.max_epochs(), c.max_steps_per_epoch())"
)


def python(home, code, **environment):
    environment = {**os.environ, "HOME": str(home), "PYTHONPATH": f"{home}:{PROJECT_ROOT}", **environment}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)


def test_configuration_file_and_environment_change_nothing(tmp_path):
    (tmp_path / ".keras").mkdir()
    (tmp_path / ".keras" / "keras.json").write_text(json.dumps(CONFIGURATION))
    wishes = {"KERAS_BACKEND": "jax", "KERAS_MAX_EPOCHS": "1", "KERAS_MAX_STEPS_PER_EPOCH": "1"}
    answer = python(tmp_path, SHOW, **wishes)
    assert answer.stdout.split() == ["tensorflow", "float32", "1e-07", "channels_last", "None", "None"], answer.stderr


@pytest.mark.parametrize(
    ("keras", "message"),
    [
        ("raise ValueError('Invalid `floatx` configuration.')", r"keras.json: Invalid `floatx` configuration."),
        ("raise AttributeError(\"'list' object has no attribute 'get'\")", r"keras.json: 'list' object"),
        ("class config: backend = staticmethod(lambda: 'torch')", "'torch' before alphaxenas was"),
    ],
)
def test_what_cannot_be_undone_is_named_with_the_way_out(tmp_path, keras, message):
    (tmp_path / "keras.py").write_text(keras)  # as Keras behaves with such a file, or imported with another backend
    answer = python(tmp_path, SHOW, KERAS_HOME=str(tmp_path / "place"))
    assert answer.returncode == 1 and message in answer.stderr.splitlines()[-1]
    assert "Mend or delete it" in answer.stderr or "Restart the kernel" in answer.stderr


def test_every_module_takes_keras_from_one_place():
    imports = ("import keras", "from keras ", "tf.keras", "tensorflow.keras")
    found = [
        path.name
        for path in (PROJECT_ROOT / "alphaxenas").rglob("*.py")
        if any(line.strip().startswith(imports[:2]) or imports[2] in line for line in path.read_text().splitlines())
    ]
    # The worker is a process without this project, and sets its own environment: see test_export_litert.py.
    assert sorted(found) == ["litert_worker.py", "plain_keras.py"]
