"""The journal keeps every complete line, whatever happens to the last one."""

import errno
import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alphaxenas.runs import Journal, StorageError, same_record
from alphaxenas.runs.journal import Records


def filled(path, count=4):
    journal = Journal(path)
    for number in range(count):
        journal.append({"trial": number, "reward": number / 3, "text": "ä\n"})
    return journal


def test_what_is_appended_is_read_back(tmp_path):
    journal = filled(tmp_path / "trials.jsonl")
    assert [record["trial"] for record in journal.read()] == [0, 1, 2, 3]
    assert journal.read()[2] == {"trial": 2, "reward": 2 / 3, "text": "ä\n"}


def test_a_missing_journal_is_empty(tmp_path):
    assert Journal(tmp_path / "trials.jsonl").read() == []


@given(cut=st.integers(0, 400), rubbish=st.binary(max_size=30))
def test_cut_anywhere_the_complete_lines_remain_and_appending_goes_on(tmp_path_factory, cut, rubbish):
    path = tmp_path_factory.mktemp("journal") / "trials.jsonl"
    filled(path).close()
    whole = path.read_bytes()
    left = whole[:cut]
    # What a power cut leaves behind the last complete line may be anything without a line break.
    path.write_bytes(left + rubbish.replace(b"\n", b"") if cut < len(whole) else whole)
    complete = left.count(b"\n") if cut < len(whole) else 4
    journal = Journal(path)
    assert [record["trial"] for record in journal.read()] == list(range(complete))
    journal.append({"trial": complete})
    assert [record["trial"] for record in Journal(path).read()] == list(range(complete + 1))
    written = path.read_bytes()
    assert written.count(b"\n") == complete + 1 and written.splitlines()[-1].startswith(
        b'{"trial": %d, "check": "' % complete
    )


def test_a_damaged_last_line_with_a_line_break_is_dropped(tmp_path):
    path = tmp_path / "trials.jsonl"
    filled(path).close()
    path.write_bytes(path.read_bytes() + b"\0\0\0\n")
    assert len(Journal(path).read()) == 4


def test_a_damaged_line_in_the_middle_is_an_error_that_says_which(tmp_path):
    path = tmp_path / "trials.jsonl"
    filled(path).close()
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b'{"trial": #\n' + b"".join(lines[2:]))
    with pytest.raises(StorageError, match=r"Line 2 of .*trials.jsonl is damaged"):
        Journal(path).read()


def test_a_full_disk_leaves_the_earlier_lines_and_a_clear_message(tmp_path, monkeypatch):
    journal = filled(tmp_path / "trials.jsonl")
    before = journal.path.read_bytes()
    write = os.write

    def half_then_full(descriptor, data):
        if len(data) < 10:
            raise OSError(errno.ENOSPC, "full")
        return write(descriptor, data[: len(data) // 2])

    monkeypatch.setattr(os, "write", half_then_full)
    with pytest.raises(StorageError, match="No space left.*trials.jsonl.*complete") as caught:
        journal.append({"trial": 4})
    assert caught.value.errno == errno.ENOSPC
    monkeypatch.undo()
    assert journal.path.read_bytes() == before
    journal.append({"trial": 4})
    assert len(journal.read()) == 5


def test_only_finite_numbers_are_written(tmp_path):
    journal = filled(tmp_path / "trials.jsonl", 1)
    with pytest.raises(ValueError, match="JSON"):
        journal.append({"loss": float("nan")})
    assert len(journal.read()) == 1


@pytest.mark.parametrize("count", [0, 2, 4])
def test_keeping_the_first_lines_drops_the_others(tmp_path, count):
    journal = filled(tmp_path / "trials.jsonl")
    journal.keep(count)
    journal.append({"trial": "new"})
    assert [record["trial"] for record in journal.read()] == [*range(count), "new"]


def test_records_agree_if_only_times_differ():
    record = {"trial": 1, "reward": 0.1 + 0.2, "seconds": 1.0, "finished_at": "today", "elapsed": 3.0}
    other = {**record, "seconds": 2.0, "finished_at": "tomorrow", "elapsed": 4.0}
    assert same_record(record, json.loads(json.dumps(other)))
    assert not same_record(record, {**record, "reward": 0.3})


def test_a_flipped_bit_is_noticed_even_where_the_line_is_still_json(tmp_path):
    path = tmp_path / "trials.jsonl"
    filled(path).close()
    whole = path.read_bytes()
    place = whole.index(b"0.333") + 3
    path.write_bytes(whole[:place] + b"2" + whole[place + 1 :])
    with pytest.raises(StorageError, match="Line 2 of .*its checksum differs"):
        Journal(path).read()


def test_lines_without_checksum_are_read_unless_others_before_them_have_one(tmp_path):
    path = tmp_path / "trials.jsonl"
    path.write_bytes(b'{"trial": 0}\n{"trial": 1}\n')
    journal = Journal(path)
    journal.append({"trial": 2})
    assert [record["trial"] for record in journal.read()] == [0, 1, 2]
    with open(path, "ab") as file:
        file.write(b'{"trial": 3}\n{"trial": 4}\n')
    with pytest.raises(StorageError, match="Line 4 of .*its checksum is missing"):
        Journal(path).read()


def test_records_are_a_sequence_that_lives_in_the_file(tmp_path):
    records = Records(filled(tmp_path / "trials.jsonl"), 3)
    assert len(records) == 3 and [record["trial"] for record in records] == [0, 1, 2]
    assert records[-1]["trial"] == 2 and [record["trial"] for record in records[1:]] == [1, 2]
    with pytest.raises(IndexError):
        records[3]


@pytest.mark.parametrize("lost", [0, 1, 3])
def test_copies_of_the_last_lines_mend_a_journal_that_lacks_them(tmp_path, lost):
    journal = filled(tmp_path / "trials.jsonl", 30)
    whole, copies = journal.path.read_bytes(), journal.lines(29)
    journal.path.write_bytes(b"".join(whole.splitlines(keepends=True)[: 29 - lost]))
    assert journal.survey() == 29 - lost
    assert journal.mend(29, copies) == list(range(30 - lost, 30))
    assert whole.startswith(journal.path.read_bytes()) and len(journal) == 29
