"""Architectures as people have them: lines of logs, integers, files; refusals list the forms."""

import json

import pytest

from alphaxenas.config import PROJECT_ROOT
from alphaxenas.networks.options import NetworkOptions
from alphaxenas.networks.outline import outline_of
from alphaxenas.networks.registry import build_network
from alphaxenas.spaces import MicroArchitecture, MicroSpace, zoo_cell
from alphaxenas.spaces.forms.genotype import Genotype
from alphaxenas.spaces.parse_any import FORMS, parse_architecture

DARTS_V2 = (
    "Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('sep_conv_3x3', 1), "
    "('sep_conv_3x3', 1), ('skip_connect', 0), ('skip_connect', 0), ('dil_conv_3x3', 2)], normal_concat=[2, 3, 4, 5], "
    "reduce=[('max_pool_3x3', 0), ('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 1), ('max_pool_3x3', 0), "
    "('skip_connect', 2), ('skip_connect', 2), ('max_pool_3x3', 1)], reduce_concat=[2, 3, 4, 5])"
)
SMALL = (
    "Genotype(normal=[('sep_conv_3x3', 0), ('skip_connect', 1)], normal_concat=range(2, 3), "
    "reduce=[('max_pool_3x3', 0), ('dil_conv_5x5', 1)], reduce_concat=range(2, 3))"
)
FORTY = "0 7 1 15 " * 10


def test_the_published_line_of_darts_is_the_cell_of_the_zoo():
    read, known = parse_architecture(DARTS_V2), zoo_cell("darts_v2")
    key = MicroSpace().key
    assert isinstance(read, Genotype) and key(read.architecture) == key(known.architecture)
    options = NetworkOptions(10, filters=8, cells=3, reductions=2)
    costs = [outline_of(build_network(one, options), (32, 32, 3)).parameters for one in (read, known)]
    assert costs[0] == costs[1]


@pytest.mark.parametrize("around", ["{}", "DARTS_V9 = {}", "03/14 09:26:53 AM genotype = {}\n", "[{}]"])
def test_what_stands_around_a_logged_line_does_not_matter(around):
    assert parse_architecture(around.format(DARTS_V2)) == parse_architecture(DARTS_V2)


def test_both_ways_to_make_an_output_are_kept_and_others_refused():
    assert isinstance(parse_architecture(SMALL), MicroArchitecture), "its one node is the unused one"
    unused = parse_architecture(DARTS_V2.replace("[2, 3, 4, 5]", "[3, 4, 5]", 1).replace("[2, 3, 4, 5]", "[3, 4, 5]"))
    assert isinstance(unused, MicroArchitecture)
    with pytest.raises(ValueError, match=r"Expected normal_concat and reduce_concat to name all nodes.*\[4, 5\]"):
        parse_architecture(DARTS_V2.replace("[2, 3, 4, 5]", "[4, 5]"))


@pytest.mark.parametrize("line", [DARTS_V2, SMALL])
def test_text_and_json_lead_back(line):
    read = parse_architecture(line)
    assert parse_architecture(str(read)) == parse_architecture(read.to_json()) == read


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("'sep_conv_3x3', 0", "'sep_conv_9x9', 0", r"pair 0 of normal.*'sep_conv_9x9'\. Did you mean"),
        ("'max_pool_3x3', 0", "'none', 0", "pair 0 of reduce.*'none'"),
        ("'skip_connect', 1", "'skip_connect', 2", "pair 1 of normal. Expected an input from 0 to 1. Received: 2"),
        ("range(2, 3)", "open('x')", "AssertionError"),
        ("('skip_connect', 1)", "__import__('os')", "Genotype"),
        ("normal_concat", "other", "KeyError: 'normal_concat'"),
        ("('skip_connect', 1)", "'skip_connect'", "Expected .operation, input"),
        (", ('skip_connect', 1)", "", "Expected two"),
    ],
)
def test_a_line_with_something_else_is_refused_at_its_place_and_nothing_is_executed(before, after, message):
    with pytest.raises(ValueError, match=message):
        parse_architecture(SMALL.replace(before, after))


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        (FORTY, r"40 integers, at position 1 \(operation of node 0 of the normal cell\). Expected 0 to 4. Received: 7"),
        ("0 0 1 19 " * 2, "16|8 integers, at position 3"),
        (("1 8 16 2 7 99 " * 10), "position 5"),
        ("1 2 3", "Expected whole numbers"),
    ],
)
def test_of_two_forms_of_integers_their_number_says_which_is_meant(numbers, message):
    with pytest.raises(ValueError, match=message):
        parse_architecture(numbers)


@pytest.mark.parametrize("name", ["architecture.json", "rank1.card.json", "note.txt", ""])
def test_files_that_hold_an_architecture_are_read(tmp_path, name):
    content = {
        "architecture.json": json.dumps({"text": "zoo:darts_v2", **json.loads(zoo_cell("darts_v2").to_json())}),
        "rank1.card.json": json.dumps({"name": "rank1", "architecture": {"text": "zoo:darts_v2", "json": {}}}),
        "note.txt": "  zoo:darts_v2\n",
        "": json.dumps({"text": "zoo:darts_v2"}),
    }[name]
    (tmp_path / (name or "architecture.json")).write_text(content)
    assert parse_architecture(str(tmp_path / name) + ("" if name else "/")) == zoo_cell("darts_v2")


def test_the_folder_of_a_run_holds_its_architecture_and_another_folder_is_named(tmp_path):
    assert parse_architecture("exp/reference-quick") == parse_architecture("exp/reference-quick/final")
    with pytest.raises(ValueError, match=rf"a folder that has final/architecture.json.*Received: {tmp_path}"):
        parse_architecture(str(tmp_path))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"headline": "test accuracy"}', r"In the file .*some\.json: Invalid value"),
        (b"PK\x03\x04\xff\xfe", r"Expected a file of text. Received: .*some\.json"),
        (b"PLACE/some.json", r"In the file .*some\.json: "),
    ],
)
def test_what_is_wrong_in_a_file_is_told_with_its_name(tmp_path, content, message):
    (tmp_path / "some.json").write_bytes(content.replace(b"PLACE", str(tmp_path).encode()))
    with pytest.raises(ValueError, match=message):
        parse_architecture(str(tmp_path / "some.json"))


def test_a_path_is_also_meant_from_the_projects_root(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    stored = "exp/reference-quick/final/architecture.json"
    assert parse_architecture(stored) == parse_architecture((PROJECT_ROOT / stored).read_text())
    with pytest.raises(ValueError, match="Expected a file that exists. Received: 'exp/nothing.json'"):
        parse_architecture("exp/nothing.json")


@pytest.mark.parametrize(
    "text", ["nonsense here", "darts_v3", "{}", "1 2 3", "a / b", "Genotype(x)", "", "out/none.json"]
)
def test_every_refusal_lists_the_forms(text):
    with pytest.raises(ValueError) as caught:
        parse_architecture(text)
    assert all(example in str(caught.value) for _, example in FORMS)


@pytest.mark.parametrize("example", [example for _, example in FORMS if "..." not in example])
def test_the_examples_are_read(example):
    architecture = parse_architecture(example.replace("exp/quick", "exp/reference-quick"))
    assert parse_architecture(str(architecture)) == architecture
