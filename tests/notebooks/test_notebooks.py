"""The notebooks: how they are made, and what they do when papermill runs them with the smoke profile."""

import ast
import json
import os
import re

import nbformat
import papermill
import pytest

from alphaxenas.command.params import navigation
from alphaxenas.config import FIELDS, PROJECT_ROOT, configure, from_values, load_profile
from alphaxenas.config.declarations import schema
from alphaxenas.config.render import notebook_default, parameters_cell

NOTEBOOKS = sorted((PROJECT_ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
STAGES = {"00": ["method"], "01": ["data"], "02": ["alphaxenas-seed0", "random-seed0", "reinforce-seed0"], "03": ["densenet"], "04": ["final"], "05": ["results"], "06": ["study"], "07": ["policy"],
          "08": ["nao", "nao-scratch", "nao-shared", "nao-best", "nao-zoo"],
          "09": ["recurrent", "recurrent-alphaxenas-seed0", "recurrent-random-seed0", "recurrent-reinforce-seed0", "recurrent-enas-seed0",
                 "recurrent-nao_shared-seed0", "recurrent-final"],
          "10": ["enas", "enas-micro-s0", "enas-macro-s0"]}
LIMIT = 1_000_000
CELL_LINES = 25
named = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def read(path):
    return nbformat.read(path, as_version=4)


def cells_tagged(path, tag):
    return [cell for cell in read(path).cells if tag in cell.metadata.get("tags", [])]


def test_every_notebook_is_listed():
    assert [path.stem[:2] for path in NOTEBOOKS] == list(STAGES)


@named
def test_stored_notebook_has_no_outputs_and_stable_cell_ids(path):
    notebook = read(path)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        assert re.fullmatch(r"[a-z0-9-]+", cell.id) and not re.fullmatch(r"[0-9a-f]{8}", cell.id)
        assert not cell.get("outputs") and cell.get("execution_count") is None
    ids = [cell.id for cell in notebook.cells]
    assert len(set(ids)) == len(ids)


@named
def test_notebook_begins_with_its_title_and_parameters_and_checks_them_first(path):
    """Papermill injects after the cell tagged `parameters`, so that one comes last."""
    title, around, *rest = read(path).cells
    assert title.source.startswith(f"# {int(path.stem[:2])}. ")
    assert around.source == navigation(path, NOTEBOOKS)
    others, (parameters,) = cells_tagged(path, "other-parameters"), cells_tagged(path, "parameters")
    assert rest[: len(others) + 1] == [*others, parameters]
    first = next(cell for cell in rest[len(others) + 1 :] if cell.cell_type == "code")
    assert "config = configure(globals())" in first.source


@named
def test_parameters_are_those_that_their_declarations_say(path):
    """`alphaxenas params --write-notebooks` writes them."""
    for tag, part in (("parameters", "first"), ("other-parameters", "others")):
        written = "\n".join(cell.source for cell in cells_tagged(path, tag)).replace("# More parameters, continued\n", "")
        assert written == parameters_cell(path.stem[:2], part)
        for statement in ast.parse(written).body:
            name = statement.target.id
            default = notebook_default(name, path.stem[:2])
            assert (ast.literal_eval(statement.value), statement.annotation.id) == (default, type(default).__name__)
    assert len(parameters_cell(path.stem[:2], "first").splitlines()) <= 1 + 8


@named
def test_defaults_of_a_notebook_are_possible(path):
    shown = [name for name in FIELDS for mark in schema(name)["notebooks"] if mark.rstrip("*") == path.stem[:2]]
    assert from_values({name: notebook_default(name, path.stem[:2]) for name in shown}).run.run == "quick"


@named
def test_the_configuration_cell_can_be_run_again_after_all_others(path):
    code = [cell.source for cell in read(path).cells if cell.cell_type == "code"]
    first = next(place for place, source in enumerate(code) if "config = configure(globals())" in source)
    namespace = {"In": ["", *code[: first + 1]]}
    for source in code[:first]:
        exec(source, namespace)
    before = configure(namespace)
    for source in code[first + 1 :]:
        words = ast.walk(ast.parse(source))
        namespace |= {word.id: object() for word in words if isinstance(word, ast.Name) and isinstance(word.ctx, ast.Store)}
    namespace["In"] += [*code[first + 1 :], code[first]]
    assert configure(namespace) == before


@named
def test_cells_are_short_enough_to_read_without_scrolling(path):
    for cell in read(path).cells:
        if cell.cell_type == "code" and not cell.metadata.get("tags"):
            assert len(cell.source.splitlines()) < CELL_LINES, cell.id
        assert cell.cell_type != "code" or len(cell.source.splitlines()) <= 40, cell.id


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """All in order, started in turns from the root (as run_all.sh does) and from notebooks/ (as JupyterLab does)."""
    folder = tmp_path_factory.mktemp("notebooks")
    parameters = load_profile("smoke") | {
        "exp_dir": str(folder / "exp"), "tensorboard_dir": str(folder / "events"), "data_dir": str(folder / "data"),
    }
    outputs = {path.stem[:2]: folder / path.name for path in NOTEBOOKS}
    for number, path in enumerate(NOTEBOOKS):
        execute(path, outputs[path.stem[:2]], parameters, path.parent if number % 2 else PROJECT_ROOT)
    return folder, parameters, outputs


def execute(path, output, parameters, start):
    environment = dict(os.environ)
    os.environ.update(JUPYTER_PREFER_ENV_PATH="1", TF_CPP_MIN_LOG_LEVEL="2")
    os.environ["PYTHONPATH"] = str(PROJECT_ROOT)
    try:
        papermill.execute_notebook(str(path), str(output), parameters, kernel_name="python3", cwd=str(start), progress_bar=False, start_timeout=300)
    finally:
        os.environ.clear()
        os.environ.update(environment)


@pytest.mark.parametrize("number", STAGES)
def test_executed_notebook_is_small_and_shows_pictures(executed, number):
    output = executed[2][number]
    assert output.stat().st_size < LIMIT
    shown = [item for cell in read(output).cells for item in cell.get("outputs", [])]
    assert any("image/png" in item.get("data", {}) for item in shown)
    assert not any(item.output_type == "error" for item in shown)


@pytest.mark.parametrize("stage", [stage for stages in STAGES.values() for stage in stages])
def test_each_stage_has_results(executed, stage):
    folder, parameters, _ = executed
    assert json.loads((folder / "exp" / parameters["run"] / stage / "results.json").read_text())["headline"]


@pytest.mark.parametrize("number", STAGES)
def test_each_notebook_stores_its_pictures_once(executed, number):
    folder, parameters, _ = executed
    first, *others = [folder / "exp" / parameters["run"] / stage / "figures" for stage in STAGES[number]]
    assert list(first.glob("*.png"))
    assert not [picture for place in others for picture in place.glob("*.png")]


def test_final_network_is_the_choice_of_the_search(executed):
    folder, parameters, _ = executed
    suite = folder / "exp" / parameters["run"]
    search, final = (json.loads((suite / stage / "results.json").read_text()) for stage in ("alphaxenas-seed0", "final"))
    finals = [record for record in search["best"] if record["purpose"] == "final"]
    assert search["chosen_by"] == "belief" or finals[0]["reward"] == max(record["reward"] for record in finals)
    assert final["models"][final["chosen"]]["architecture"] == finals[0]["architecture"]


def test_wrong_parameter_stops_a_notebook_before_any_work(tmp_path):
    with pytest.raises(papermill.PapermillExecutionError, match="trails.*trials"):
        execute(NOTEBOOKS[1], tmp_path / "out.ipynb", {"trails": 8, "exp_dir": str(tmp_path / "exp")}, PROJECT_ROOT)
    assert not (tmp_path / "exp").exists()
