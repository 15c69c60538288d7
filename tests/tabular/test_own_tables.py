"""Tables as spreadsheets save them: separators, decimal commas, few rows."""

import numpy as np
import pytest

from alphaxenas.data import DataError
from alphaxenas.report.sample_efficiency.tree_figures import tree_growth
from alphaxenas.tabular.benchmark_tables import read_table

ROWS = (("000", "0.5"), ("001", "0.625"), ("011", "-0.25"))


def save(path, separator, comma=".", quote=""):
    rows = [("arch", "acc"), *((code, number.replace(".", comma)) for code, number in ROWS)]
    path.write_text("".join(separator.join(f"{quote}{cell}{quote}" for cell in row) + "\r\n" for row in rows))


SPELLINGS = [
    (",", ".", ""),
    (";", ".", ""),
    ("\t", ".", ""),
    (";", ",", ""),
    ("\t", ",", ""),
    (";", ",", '"'),
    ("|", ",", ""),
]


@pytest.mark.parametrize(("separator", "comma", "quote"), [*SPELLINGS, (",", ".", '"')])
def test_the_separator_is_found_and_decimal_commas_are_read_where_they_separate_nothing(
    tmp_path, separator, comma, quote
):
    save(tmp_path / "own.csv", separator, comma, quote)
    assert read_table(tmp_path / "own.csv", "arch", "acc").signal.tolist() == [float(number) for _, number in ROWS]


def test_a_comma_in_a_number_of_a_table_with_commas_is_refused(tmp_path):
    save(tmp_path / "own.csv", ",", ",", '"')
    with pytest.raises(DataError, match="row 1, column 'acc': Expected a finite number. Received: '0,5'"):
        read_table(tmp_path / "own.csv", "arch", "acc")


def test_rows_of_another_separator_are_named_with_it(tmp_path):
    (tmp_path / "own.csv").write_text("arch;acc\n000,0.5\n")
    with pytest.raises(DataError, match="row 1: Expected 2 values.*Received: 1, separated by ';'"):
        read_table(tmp_path / "own.csv", "arch", "acc")


@pytest.mark.parametrize("above", ["\n", "\r\n\r\n", "sep=;\r\n", '"sep=;"\n'])
def test_what_spreadsheets_write_above_the_header_is_passed_over(tmp_path, above):
    (tmp_path / "own.csv").write_text(f"{above}arch;acc\r\n000;0,5\r\n001;0.75\r\n")
    assert read_table(tmp_path / "own.csv", "arch", "acc").signal.tolist() == [0.5, 0.75]


@pytest.mark.parametrize("content", ["arch acc\n000 0.5\n", "# of mine\narch,acc\n000,0.5\n", "arch:acc\n000:0.5\n"])
def test_a_header_that_nothing_separates_says_what_may(tmp_path, content):
    (tmp_path / "own.csv").write_text(content)
    with pytest.raises(DataError, match="own.csv: Expected two or more columns, with commas.*Received: one, '"):
        read_table(tmp_path / "own.csv", "arch", "acc")


@pytest.mark.parametrize(("encoding", "line"), [("latin-1", 3), ("utf-16", 1)])
def test_a_table_in_another_encoding_is_named_with_line_and_cure(tmp_path, encoding, line):
    (tmp_path / "own.csv").write_text("arch,acc,who\n000,0.5,me\n001,0.5,Jürgen\n", encoding=encoding)
    with pytest.raises(DataError, match=rf"own\.csv, line {line}: .*not UTF-8 text.*iconv"):
        read_table(tmp_path / "own.csv", "arch", "acc")


def test_a_tree_that_never_grew_is_a_sentence():
    empty = {name: np.zeros(0, int) for name in ("parent", "action", "visits", "total")}
    root = {"parent": np.array([-1]), "action": np.array([-1]), "visits": np.array([3]), "total": np.array([1.5])}
    assert "before a tree grew" in tree_growth([(5, empty), (5, empty)]).axes[0].texts[0].get_text()
    assert "5 queries, 1 nodes" in tree_growth([(2, empty), (5, root)]).axes[0].get_title()
