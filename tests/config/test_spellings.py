"""What people type, and what their machines put beside it: profiles, command lines, notebooks' name spaces."""

import types

import pytest

from alphaxenas.config import ParameterError, configure, from_values, load_profile, parse_value


@pytest.mark.parametrize("written", ["1000", "1e3", "1E3", "1.0e+3", "1_000", "1000.0", " 1000 ", "+1000", "01000"])
def test_whole_numbers_are_read_in_any_common_spelling(tmp_path, written):
    (tmp_path / "mine.yaml").write_text(f"trials: {written}\nseeds: [{written}, 2]\n")
    profile = load_profile(str(tmp_path / "mine.yaml"))
    assert profile == {"trials": 1000, "seeds": [1000, 2]} and type(profile["trials"]) is int
    assert parse_value("trials", written) == 1000 and from_values({"trials": written}).search.trials == 1000


@pytest.mark.parametrize("written", ["1e-3", "0.001", "1.0e-3", ".001"])
def test_numbers_too(tmp_path, written):
    (tmp_path / "mine.yaml").write_text(f"learning_rate: {written}\n")
    assert load_profile(str(tmp_path / "mine.yaml")) == {"learning_rate": 0.001}


@pytest.mark.parametrize("written", ["1.5", "1e-3", "many", "true", "1e400", "0x10", "1:30"])
def test_what_is_no_whole_number_is_refused_as_it_was_typed(tmp_path, written):
    for in_file in (repr(written), written if ":" in written else repr(written)):
        (tmp_path / "mine.yaml").write_text(f"trials: {in_file}\n")
        with pytest.raises(ParameterError, match=f"`trials`. Expected a whole number >= 0. Received: .*{written}"):
            load_profile(str(tmp_path / "mine.yaml"))


@pytest.mark.parametrize("written", ["2026-11-29", "007", "1e3", "yes", "12:30:45"])
def test_texts_are_what_was_typed_whatever_yaml_makes_of_them(tmp_path, written):
    (tmp_path / "mine.yaml").write_text(f"run: {written}\n")
    if ":" in written:
        with pytest.raises(ParameterError, match="Received: '12:30:45'"):
            load_profile(str(tmp_path / "mine.yaml"))
    else:
        assert load_profile(str(tmp_path / "mine.yaml")) == {"run": written}


@pytest.mark.parametrize(
    ("content", "line"), [("trials: 2\n".encode("utf-16"), 1), (b"trials: 2\n# caf\xe9\n", 2), (b"\x1f\x8b\x08", 1)]
)
def test_a_profile_in_another_encoding_is_named_with_its_line_and_the_cure(tmp_path, content, line):
    (tmp_path / "mine.yaml").write_bytes(content)
    with pytest.raises(ParameterError, match=rf"mine\.yaml, line {line}, is not UTF-8.*iconv"):
        load_profile(str(tmp_path / "mine.yaml"))


def test_a_byte_order_mark_does_not_matter(tmp_path):
    (tmp_path / "mine.yaml").write_bytes("trials: 2\n".encode("utf-8-sig"))
    assert load_profile(str(tmp_path / "mine.yaml")) == {"trials": 2}


NOTEBOOK = {"In": ["", "trials: int = 5\nrun = 'mine'"], "Out": {}, "trials": 5, "run": "mine"}


@pytest.mark.parametrize("name", ["x", "paths", "np_options", "trails"])
def test_names_of_a_users_start_up_files_are_no_parameters(name):
    assert configure(NOTEBOOK | {name: 1}).search.trials == 5


def test_parameters_of_a_users_start_up_files_count_where_a_cell_gives_them_too():
    """`seed = 3` there is meant for something else, also where a notebook does not show the parameter `seed`."""
    shell = types.SimpleNamespace(user_ns_hidden={"seed": 3, "precision": None, "trials": 2})
    namespace = NOTEBOOK | {"seed": 3, "precision": None, "filters": 9, "get_ipython": lambda: shell}
    config = configure(namespace)  # `filters` came by an import, say
    assert (config.run.seed, config.search.trials, config.child.filters) == (0, 5, 9)
    assert configure(namespace | {"In": [*NOTEBOOK["In"], "seed = 3"]}).run.seed == 3


@pytest.mark.parametrize("cell", ["trails = 5", "a, trails = 1, 5", "trails = 10 * 5", "trails: int = int(5)"])
def test_names_in_the_cells_are(cell):
    namespace = NOTEBOOK | {"trails": 5, "In": [*NOTEBOOK["In"], "%matplotlib inline", cell]}
    with pytest.raises(ParameterError, match="Unknown parameter `trails`"):
        configure(namespace)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"architecture": "darts_v3"}, "zoo.*Did you mean 'darts_v2'"),
        ({"architecture": "prev:conv9x9 + prev2:identity"}, "Did you mean 'conv"),
        ({"architecture": "exp/nowhere/architecture.json"}, "a file that exists"),
        ({"architecture": "nonsense", "space": "nasbench201"}, "architecture|code|Expected"),
    ],
)
def test_an_architecture_is_read_when_the_parameters_are(parameters, message):
    with pytest.raises(ParameterError, match=message):
        from_values(parameters)
