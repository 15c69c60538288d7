"""The notebooks: how they are made, and what they do when papermill runs them with the smoke profile."""

import ast
import json
import os
import re

import nbformat
import papermill
import pytest

from alphaxenas.config import FIELDS, PROJECT_ROOT, load_profile

NOTEBOOKS = sorted((PROJECT_ROOT / "notebooks").glob("0[1-8]_*.ipynb"))
STAGES = {"01": ["data"], "02": ["alphaxenas-seed0", "random-seed0"], "03": ["densenet"], "04": ["final"], "05": ["results"], "06": ["study"], "07": ["policy"],
          "08": ["nao", "nao-scratch", "nao-shared", "nao-best", "nao-zoo"]}
LIMIT = 1_000_000
CELL_LINES = 25
named = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def read(path):
    return nbformat.read(path, as_version=4)


def parameters_cell(path):
    (cell,) = [cell for cell in read(path).cells if "parameters" in cell.metadata.get("tags", [])]
    return cell.source


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
    title, parameters, *rest = read(path).cells
    assert title.source.startswith(f"# {int(path.stem[:2])}. ")
    assert parameters.source == parameters_cell(path)
    first = next(cell for cell in rest if cell.cell_type == "code")
    assert "config = configure(globals())" in first.source


@named
def test_parameters_are_known_typed_and_commented_and_have_the_defaults_of_the_package(path):
    source = parameters_cell(path)
    lines, statements = source.splitlines(), ast.parse(source).body
    assert len(statements) == len(lines)
    for statement, line in zip(statements, lines):
        assert isinstance(statement, ast.AnnAssign), line
        name, value = statement.target.id, ast.literal_eval(statement.value)
        default = FIELDS[name].default
        default = list(default) if isinstance(default, tuple) else default
        assert (value, type(value)) == (default, type(default)), line
        assert statement.annotation.id == type(default).__name__, line
        assert re.search(r"  # \S", line), line


@named
def test_cells_are_short_enough_to_read_without_scrolling(path):
    for cell in read(path).cells:
        if cell.cell_type == "code" and "parameters" not in cell.metadata.get("tags", []):
            assert len(cell.source.splitlines()) < CELL_LINES, cell.id


def test_every_parameter_is_shown_in_a_notebook_or_belongs_to_the_machine_or_a_detail():
    """What no notebook shows is still settable; whoever adds a parameter decides here whether it deserves a line."""
    shown = {statement.target.id for path in NOTEBOOKS for statement in ast.parse(parameters_cell(path)).body}
    hidden = {"tensorboard_dir", "precision", "memory_growth", "operations", "combinations", "stem_stride", "weight_decay", "momentum", "gradient_clip",
              "label_smoothing", "checkpoint_every", "train_gradient_clip", "space", "chain_layers", "chain_skips", "optimizer", "reward"}
    hidden |= {"enas_fraction", "enas_sampling", "enas_learning_rate", "enas_entropy", "enas_skip_target", "enas_skip_weight"}
    assert set(FIELDS) - shown <= hidden


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
    os.environ.pop("PYTHONPATH", None)
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


def test_final_network_is_the_best_of_the_search(executed):
    folder, parameters, _ = executed
    suite = folder / "exp" / parameters["run"]
    search, final = (json.loads((suite / stage / "results.json").read_text()) for stage in ("alphaxenas-seed0", "final"))
    best = max((record for record in search["best"] if record["purpose"] == "final"), key=lambda record: record["reward"])
    assert final["models"][final["chosen"]]["architecture"] == best["architecture"]


def test_stored_model_is_evaluated_again_without_training(executed):
    folder, parameters, outputs = executed
    suite = folder / "exp" / parameters["run"]
    final = json.loads((suite / "final" / "results.json").read_text())
    model = suite / "final" / final["models"][final["chosen"]]["file"]
    again = parameters | {"run": "again", "evaluate_model": str(model)}
    output = folder / "again.ipynb"
    execute(NOTEBOOKS[3], output, again, PROJECT_ROOT)
    text = output.read_text()
    assert f"test accuracy {final['test_accuracy']:.4f}" in text
    assert not (folder / "exp" / "again" / "final").exists()


def test_wrong_parameter_stops_a_notebook_before_any_work(tmp_path):
    with pytest.raises(papermill.PapermillExecutionError, match="trails.*trials"):
        execute(NOTEBOOKS[1], tmp_path / "out.ipynb", {"trails": 8, "exp_dir": str(tmp_path / "exp")}, PROJECT_ROOT)
    assert not (tmp_path / "exp").exists()
