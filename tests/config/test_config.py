"""Parameters: every wrong one is an error that names it, what is allowed and the nearest name."""

import subprocess
import sys
import types

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alphaxenas.config import (
    FIELDS,
    GROUPS,
    PROJECT_ROOT,
    Config,
    ParameterError,
    configure,
    from_values,
    load_profile,
    parameter,
    parse_value,
)
from alphaxenas.config import load as config_module
from alphaxenas.networks.devices import computes_bfloat16


def test_a_notebook_without_parameters_gets_the_defaults():
    assert configure({}).search == Config().search


def test_given_values_arrive_in_their_group_and_type():
    config = configure({"trials": 7, "learning_rate": 1, "operations": ["conv3x3", "identity"], "augment": False})
    assert config.search.trials == 7
    assert config.child.learning_rate == 1.0 and isinstance(config.child.learning_rate, float)
    assert config.space.operations == ("conv3x3", "identity")
    assert config.data.augment is False


def test_the_config_is_frozen():
    with pytest.raises(pydantic.ValidationError, match="frozen"):
        configure({}).search.trials = 3


@pytest.mark.parametrize(
    "name, value, parts",
    [
        ("lerning_rate", 0.1, ["`lerning_rate`", "`learning_rate`"]),
        ("Trials", 3, ["`Trials`", "`trials`"]),
        ("filters", 0, ["`filters`", ">= 1", "0"]),
        ("filters", 16.5, ["`filters`", "whole number", "16.5"]),
        ("filters", True, ["`filters`", "whole number", "True"]),
        ("learning_rate", "1e-3x", ["`learning_rate`", "number", "1e-3x"]),
        ("learning_rate", float("nan"), ["`learning_rate`", "nan"]),
        ("fraction", 0, ["`fraction`", "> 0 and <= 1"]),
        ("augment", 1, ["`augment`", "True or False"]),
        ("dataset", "cifar", ["`dataset`", "'fashion_mnist'", "Did you mean 'cifar10'"]),
        ("controllers", ["alfaxenas"], ["`controllers`", "Did you mean 'alphaxenas'"]),
        ("controllers", [], ["`controllers`", "one or more"]),
        ("operations", ["conv3x3", "conv3x3"], ["`operations`", "different"]),
        ("operations", "conv3x3", ["`operations`", "a list"]),
        ("operations", ["conv4x4"], ["`operations`", "Did you mean"]),
        ("stem_stride", True, ["`stem_stride`", "1, 2"]),
        ("seeds", [1, -1], ["`seeds`", ">= 0"]),
        ("rate_drops", [0.5, 1.0], ["`rate_drops`", "a list of different numbers >= 0 and < 1"]),
        ("train_rate_drops", [0.5, 0.5], ["`train_rate_drops`", "different"]),
        ("run", "../elsewhere", ["`run`"]),
        ("run", "", ["`run`"]),
        ("exp_dir", "a\0b", ["`exp_dir`"]),
        ("trials", 0, ["`trials`", "never end"]),
        ("dataset", "arrays", ["`arrays_path`", ".npz"]),
        ("arrays_path", "x.npz", ["`dataset`", "arrays"]),
        ("reductions", 3, ["`reductions`", "fewer than cells"]),
        ("train_cells", 2, ["`train_reductions`", "train_cells"]),
        ("densenet_depth", 23, ["`densenet_depth`", "multiple of 6"]),
        ("warmup_epochs", 1000, ["`warmup_epochs`", "train_epochs"]),
        ("seed", None, ["`seed`", "None"]),
        ("nao_pool", 3, ["`nao_pool`", "0 or at least 4"]),
        ("nao_new", 13, ["`nao_new`", "at most nao_pool (12)"]),
    ],
)
def test_a_wrong_parameter_is_named_with_what_is_allowed(name, value, parts):
    with pytest.raises(ParameterError) as caught:
        configure({name: value})
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.parametrize(
    "values, name",
    [
        ({"space": "convnet", "rate_schedule": "triangle", "rate_drops": [0.5]}, "rate_drops"),
        ({"space": "convnet", "rate_schedule": "triangle", "train_rate_drops": [0.5]}, "train_rate_drops"),
        ({"train_restart_epochs": 2.0, "train_rate_drops": [0.5]}, "train_rate_drops"),
    ],
)
def test_a_rate_either_drops_or_follows_a_curve(values, name):
    with pytest.raises(ParameterError, match=f"`{name}`. Expected empty with"):
        configure(values)
    configure({**values, name: []})


def test_an_order_of_which_every_child_is_drawn_is_refused():
    values = {"controllers": ["alphaxenas", "static"], "uniform_share": 1.0}
    with pytest.raises(ParameterError, match="`uniform_share`. Expected less than 1 where static"):
        configure(values)
    configure({**values, "share_weights": False})
    configure({**values, "controllers": ["alphaxenas", "random"]})


def test_what_a_notebook_has_besides_parameters_is_passed_over():
    class Local:
        pass

    namespace = {
        "__name__": "__main__",
        "_": 3,
        "_i1": "text",
        "In": ["a"],
        "Out": {},
        "exit": object(),
        "np": types,
        "Local": Local,
        "function": lambda: None,
        "trials": 5,
    }
    assert configure(namespace).search.trials == 5


def test_running_the_notebook_again_ignores_variables_of_later_cells_but_not_new_typing_errors():
    namespace = {"trials": 5, "In": ["", "trials = 5", "config = configure(globals())"]}
    configure(namespace)
    namespace["best"] = 0.9
    namespace["In"] += ["best = max(scores)", "trials = 5", "config = configure(globals())"]
    assert configure(namespace).search.trials == 5
    namespace["In"] += ["trails: int = 6  # typing error\nseed = -1", "config = configure(globals())"]
    with pytest.raises(ParameterError, match="`trails`.*`trials`"):
        configure(namespace)


@pytest.mark.parametrize(
    "later",
    [
        "from json import tool as tables",
        "import numpy\nseeds = range(9)",
        "for seed in (1, 2):\n    print(seed)",
        "best, space = 1, object()",
    ],
)
def test_running_the_notebook_again_takes_no_variable_of_a_later_cell_for_a_parameter(later):
    namespace = {"trials": 5, "seeds": [3], "In": ["", "trials: int = 5\nseeds: list = [3]", "configure(globals())"]}
    first = configure(namespace)
    exec(later, namespace)
    namespace["In"] += [later, "config = configure(globals())"]
    assert configure(namespace) == first
    namespace |= {"trials": 6, "seeds": [0, 1]}
    namespace["In"] += ["trials: int = 6\nseeds: list = list(range(2))", "config = configure(globals())"]
    again = configure(namespace)
    assert (again.search.trials, again.search.seeds) == (6, (0, 1))
    namespace["In"] += [later, "config = configure(globals())"]
    exec(later, namespace)
    assert configure(namespace) == again


def test_a_notebook_of_one_checkout_is_not_run_with_the_code_of_another(monkeypatch, tmp_path):
    """Both have the same `.venv`, as a link or a copy; commands outside of notebooks say where their records lie."""
    notebooks = tmp_path / "other" / "notebooks"
    for folder in (notebooks, tmp_path / "other" / "alphaxenas" / "config"):
        folder.mkdir(parents=True)
    (tmp_path / "other" / "alphaxenas" / "config" / "load.py").touch()
    monkeypatch.chdir(notebooks)
    with pytest.raises(ParameterError, match=f"{tmp_path}/other.*{PROJECT_ROOT}.*PYTHONPATH={tmp_path}/other"):
        configure({"In": [""]})
    assert configure({}) == Config()
    for allowed in (tmp_path, PROJECT_ROOT / "notebooks"):
        monkeypatch.chdir(allowed)
        assert configure({"In": [""]}) == Config()


def test_parameters_are_json_values_that_make_the_same_config_again():
    values = {"trials": 7, "seeds": [1, 2], "exp_dir": "/tmp/elsewhere"}
    config = configure(values)
    assert from_values(config.parameters()) == config
    assert config.parameters()["seeds"] == [1, 2]


def test_recorded_parameters_leave_out_where_files_lie_and_what_else_is_run():
    parameters = Config().parameters("data", "search")
    assert {"seed", "precision", "dataset", "trials"} <= set(parameters)
    assert not {"run", "exp_dir", "overwrite", "data_dir", "seeds", "controllers", "densenet_depth"} & set(parameters)


def test_relative_paths_are_meant_from_the_project_root_and_recorded_relative_to_it(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    config = configure({"data_dir": "data/images"})
    assert config.run.exp_dir == str(PROJECT_ROOT / "exp")
    assert config.data.data_dir == str(PROJECT_ROOT / "data" / "images")
    assert config.parameters()["exp_dir"] == "exp"


def test_names_are_unique_over_all_groups():
    assert len(FIELDS) == sum(len(kind.model_fields) for kind in GROUPS.values())


@given(st.sampled_from(sorted(FIELDS)))
def test_every_default_written_on_a_command_line_is_read_back(name):
    default = FIELDS[name].default
    written = ",".join(map(str, default)) if isinstance(default, tuple) else str(default)
    assert parse_value(name, written) == default


GENOTYPE = "Genotype(normal=[('sep_conv_3x3', 1), ('skip_connect', 0)], normal_concat=range(2, 3))"
OWN_TABLE = "pyproject.toml"
"""Any file that exists: a table is not read before it is searched."""


@pytest.mark.parametrize(
    "name, written, value",
    [
        ("learning_rate", "1e-3", 0.001),
        ("augment", "false", False),
        ("operations", "[conv3x3, 'sep5x5']", ("conv3x3", "sep5x5")),
        ("seeds", "1,2", (1, 2)),
        ("rate_drops", "[0.5, 7.5e-1]", (0.5, 0.75)),
        ("stem_stride", "2", 2),
        ("architecture", "1", "1"),
        ("operations", '["conv3x3", "sep5x5"]', ("conv3x3", "sep5x5")),
        ("seeds", "[1, 2]", (1, 2)),
        ("start_from", f"darts_v2, {GENOTYPE}", ("darts_v2", GENOTYPE)),
        (
            "start_from",
            "'kernel=3, filters=8', \"kernel=5, filters=8\"",
            ("kernel=3, filters=8", "kernel=5, filters=8"),
        ),
        ("start_from", '["kernel=3, filters=8", "it\'s.json"]', ("kernel=3, filters=8", "it's.json")),
        ("start_from", "it's.json, darts_v2", ("it's.json", "darts_v2")),
        ("start_from", "a:b | (c, d), e)f, g", ("a:b | (c, d)", "e)f", "g")),
        ("tables", "digits,chains", ("digits", "chains")),
        ("tables", f"{OWN_TABLE} code=a signal=b,min:c", (f"{OWN_TABLE} code=a signal=b,min:c",)),
        ("tables", f'["{OWN_TABLE} signal=b,min:c", "digits"]', (f"{OWN_TABLE} signal=b,min:c", "digits")),
    ],
)
def test_values_on_a_command_line_take_the_type_of_their_parameter(name, written, value):
    assert parse_value(name, written) == value


@pytest.mark.parametrize(
    "name, written",
    [("trials", "many"), ("trials", "1.5"), ("augment", "perhaps"), ("trils", "3"), ("initial_children", "1")],
)
def test_wrong_values_on_a_command_line_are_refused(name, written):
    with pytest.raises(ParameterError, match=name):
        parse_value(name, written)


@pytest.mark.parametrize(
    "content, part",
    [
        ("trials: 3\ntrials: 4\n", "`trials` twice"),
        ("trails: 3\n", "`trials`"),
        ("- trials\n", "a list"),
        ("trials: [\n", "no valid YAML"),
        ("learning_rate: fast\n", "a number > 0. Received: 'fast'"),
    ],
)
def test_a_faulty_profile_is_refused_with_its_path(tmp_path, content, part):
    path = tmp_path / "mine.yaml"
    path.write_text(content)
    with pytest.raises(ParameterError) as caught:
        load_profile(str(path))
    assert part in str(caught.value) and str(path) in str(caught.value)


def test_an_unknown_profile_is_refused_with_the_nearest_name(tmp_path, monkeypatch):
    (tmp_path / "quick.yaml").write_text("trials: 3\n")
    monkeypatch.setattr(config_module, "PROFILES", tmp_path)
    assert load_profile("quick") == {"trials": 3}
    with pytest.raises(ParameterError, match="Unknown profile 'quik'.*Did you mean 'quick'"):
        load_profile("quik")
    with pytest.raises(
        ParameterError, match=r"there is no /.*/of-mine\.yaml. Expected one of quick or the path [^?]*$"
    ):
        load_profile("try/of-mine.yaml")


def test_every_shipped_profile_is_valid():
    for path in config_module.PROFILES.glob("*.yaml"):
        assert from_values(load_profile(path.stem)).run.run == path.stem


def test_importing_the_configuration_loads_neither_tensorflow_nor_yaml():
    code = "import sys, alphaxenas.config; sys.exit(bool({'tensorflow', 'yaml', 'scipy', 'pandas'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=PROJECT_ROOT, check=False).returncode == 0


@pytest.mark.parametrize(
    ("features", "precision"), [("flags : fpu avx2", "float32"), ("flags : fpu avx512_bf16", "bfloat16")]
)
def test_automatic_precision_is_what_the_machine_computes_natively_and_recorded_as_that(
    tmp_path, monkeypatch, features, precision
):
    (tmp_path / "cpuinfo").write_text(features)
    monkeypatch.setattr(
        parameter, "computes_bfloat16", lambda: computes_bfloat16(tmp_path / "cpuinfo", tmp_path / "no-gpu")
    )
    config = from_values({"precision": "auto", "train_precision": "auto", "run": "auto"})
    assert config.parameters("training")["precision"] == config.parameters("training")["train_precision"] == precision
    assert config.run.run == "auto"


def test_a_gpu_with_its_driver_computes_bfloat16(tmp_path):
    (tmp_path / "gpus" / "0000:01:00.0").mkdir(parents=True)
    assert computes_bfloat16(tmp_path / "missing", tmp_path / "gpus")
    assert not computes_bfloat16(tmp_path / "missing", tmp_path / "other")
