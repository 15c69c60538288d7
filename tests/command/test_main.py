"""The command and its verbs: help, and what each refuses."""

import json
import subprocess
import sys

import pytest

from alphaxenas.command import main as command
from alphaxenas.config import FIELDS, PROJECT_ROOT


@pytest.mark.parametrize("verb", ["run", "params", "evaluate", "status", "clean", "table"])
def test_every_verb_explains_itself(verb, capsys):
    with pytest.raises(SystemExit) as caught:
        command.main([verb, "--help"])
    assert caught.value.code == 0 and "usage:" in capsys.readouterr().out
    assert command.main(["--help"]) == 0 and f"alphaxenas {verb} " in capsys.readouterr().out


def test_another_verb_is_refused(capsys):
    assert command.main(["serach"]) == 2
    assert "Received: 'serach'" in capsys.readouterr().err
    assert command.main([]) == 2


def test_a_parameter_is_explained(capsys):
    assert command.main(["params", "exploration"]) == 0
    said = capsys.readouterr().out
    assert "a number >= 0" in said and "default: 1.0" in said and "alphaxenas" in said
    assert command.main(["params", "explorations"]) == 2
    assert "Did you mean `exploration`" in capsys.readouterr().err


def test_all_parameters_have_a_schema(capsys):
    assert command.main(["params", "--schema"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found) == set(FIELDS) and found["cells"]["minimum"] == 1


def test_a_model_that_is_not_there_is_refused(capsys, tmp_path):
    assert command.main(["evaluate", str(tmp_path / "none.keras"), "-p", "fraction", "0.3"]) == 2
    assert "none.keras" in capsys.readouterr().err
    assert command.main(["evaluate", "model.keras", "quik"]) == 2
    assert "Did you mean 'quick'" in capsys.readouterr().err


def test_parameters_are_explained_without_tensorflow():
    code = (
        "import sys; from alphaxenas.command.main import main; main(['params', 'trials']);"
        "sys.exit('tensorflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=PROJECT_ROOT, check=False).returncode == 0
