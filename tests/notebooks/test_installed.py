"""The package is installed: notebooks and commands run wherever they lie, without the checkout's root on any path."""

import os
import subprocess
import sys
import sysconfig
import venv

import nbformat
import pytest

from alphaxenas.config import PROJECT_ROOT

V4 = nbformat.v4
SOURCE = "from alphaxenas.config import configure\nconfig = configure(globals())\nprint('records', config.run.exp_dir)"


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """An environment that has what this one has, and the package as `pip install -e` leaves it."""
    folder = tmp_path_factory.mktemp("installed") / "env"
    venv.create(folder, with_pip=False)
    paths = sysconfig.get_paths(vars={"base": str(folder), "platbase": str(folder)})
    with open(os.path.join(paths["purelib"], "own.pth"), "w") as file:
        file.write(f"{sysconfig.get_paths()['purelib']}\n{PROJECT_ROOT}\n")
    return folder / "bin" / "python"


def run(python, folder, *words):
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {"JUPYTER_PATH": os.path.join(sys.prefix, "share", "jupyter"), "JUPYTER_PREFER_ENV_PATH": "0"}
    done = subprocess.run([python, "-m", *words], cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "words",
    [
        ("nbconvert", "--to", "notebook", "--execute", "01_first.ipynb", "--output", "again.ipynb"),
        ("papermill", "01_first.ipynb", "again.ipynb", "-p", "run", "other", "--no-progress-bar"),
    ],
    ids=lambda words: words[0],
)
def test_an_executed_notebook_runs_again_where_it_lies(python, tmp_path, words):
    cells = [V4.new_code_cell("run = 'x'", metadata={"tags": ["parameters"]}), V4.new_code_cell(SOURCE)]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(V4.new_notebook(cells=cells, metadata=kernel), tmp_path / "01_first.ipynb")
    run(python, tmp_path, *words)
    output = nbformat.read(tmp_path / "again.ipynb", 4).cells[-1].outputs[0]
    assert output.text.strip() == f"records {PROJECT_ROOT / 'exp'}", "of the project, not of the folder one stands in"


def test_the_command_runs_from_any_folder(python, tmp_path):
    assert run(python, tmp_path, "alphaxenas.command.main", "params", "trials").startswith("trials: ")
