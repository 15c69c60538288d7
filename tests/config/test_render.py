"""What follows from a declaration: help, page, notebook cells, checklist; and names that changed."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from alphaxenas.command import params
from alphaxenas.command.params import write_cells
from alphaxenas.config import FIELDS, PROJECT_ROOT
from alphaxenas.config.declarations import schema
from alphaxenas.config.render import documentation, help_text


def test_the_page_of_parameters_is_what_the_declarations_say():
    """`alphaxenas params --write-docs` writes it."""
    assert params.PAGE.read_text(encoding="utf-8") == documentation()


def test_the_page_says_which_controllers_a_parameter_goes_to():
    rows = {line.split("`")[1]: line for line in documentation().splitlines() if line.startswith("| `")}
    assert "(to `alphaxenas`, `guided`)" in rows["reward_trust"] and "(to `evolution`)" in rows["evolution_sample"]
    assert "(to " not in rows["filters"]


def test_help_names_every_parameter():
    words = set(help_text().split())
    assert set(FIELDS) <= words


def test_a_new_parameter_is_one_declaration(tmp_path):
    """Declared in a copy of the package; notebooks, page, help, profiles and checklist know it."""
    shutil.copytree(PROJECT_ROOT / "alphaxenas", tmp_path / "alphaxenas", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "docs").mkdir()
    (tmp_path / "notebooks" / "profiles").mkdir(parents=True)
    shutil.copy(PROJECT_ROOT / "notebooks" / "02_controller_search.ipynb", tmp_path / "notebooks")
    file = tmp_path / "alphaxenas" / "config" / "networks.py"
    place = "    filters: Count = parameter("
    declaration = '    colour_jitter: int = parameter(3, "strength of a jitter", ge=0, le=9, notebooks="02")\n'
    file.write_text(file.read_text().replace(place, declaration + place))
    (tmp_path / "mine.yaml").write_text("colour_jitter: 10\n")

    def run(*words):
        return subprocess.run(
            [sys.executable, *words],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": str(tmp_path)},
        )

    command = ("-m", "alphaxenas.command.main")
    assert run(*command, "params", "--write-notebooks", "--write-docs").returncode == 0
    written = (tmp_path / "notebooks" / "02_controller_search.ipynb").read_text()
    assert "colour_jitter: int = 3  # strength of a jitter" in written
    assert (
        "| `colour_jitter` | `3` | a whole number >= 0 and &lt;= 9 |" in (tmp_path / "docs/parameters.md").read_text()
    )
    assert "colour_jitter" in run(*command, "run", "--help").stdout
    refused = run(*command, "run", str(tmp_path / "mine.yaml"))
    assert refused.returncode == 2 and "Invalid value for `colour_jitter`. Expected a whole number" in refused.stderr
    code = (
        "import json; from alphaxenas.config import from_values; from alphaxenas.report import checklist;"
        "print(json.dumps(['colour_jitter' in checklist._RECIPE, "
        "from_values({}).parameters('child')['colour_jitter']]))"
    )
    assert json.loads(run("-c", code).stdout) == [True, 3]


def test_a_declaration_says_whether_it_affects_results():
    assert not schema("exp_dir")["affects_results"] and schema("trials")["affects_results"]


@pytest.mark.parametrize("name", ["02_controller_search", "05_results", "09_recurrent_cells"])
def test_writing_the_generated_cells_again_changes_nothing(tmp_path, name):
    """Also cells whose names begin alike, such as `parameters-figure` of notebook 05, stay."""
    paths = [tmp_path / path.name for path in sorted((PROJECT_ROOT / "notebooks").glob("*.ipynb"))]
    path = tmp_path / f"{name}.ipynb"
    shutil.copy(PROJECT_ROOT / "notebooks" / path.name, path)
    before = path.read_bytes()
    write_cells(path, paths)
    assert path.read_bytes() == before
