"""Texts: published ones are checked, a user's are read by word, made ones have the entropy that is claimed."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

from alphaxenas.data import grammar
from alphaxenas.data.download import DataError
from alphaxenas.data.text import load_text, streams


def write(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_the_grammar_is_seeded_and_has_the_entropy_that_is_claimed():
    rng = np.random.default_rng(0)
    lines = [tuple(line) for line in grammar.sentences(20_000, rng)]
    assert lines[:5] == [tuple(line) for line in grammar.sentences(5, np.random.default_rng(0))]
    words = sum(map(len, lines))
    # Without relative clauses and objects sentences are few enough to count: their probabilities tell their entropy.
    short = Counter(line for line in lines if len(line) == 4)
    total = sum(short.values())
    measured = -sum(count / total * math.log(count / total) for count in short.values())
    expected = math.log(2) + grammar._pick(len(grammar._STEMS)) + grammar._pick(len(grammar._INTRANSITIVE))
    assert measured == pytest.approx(expected, abs=0.06)
    assert words / len(lines) == pytest.approx(grammar._phrase(0)[1] + grammar._predicate(0)[1] + 1, rel=0.02)
    assert 1.5 < grammar.entropy() < 2.5


def test_verbs_agree_with_their_nouns():
    for line in grammar.sentences(300, np.random.default_rng(1)):
        if len(line) == 4:  # the noun verb <eos>
            assert line[1].endswith("s") != line[2].endswith("s"), line


def test_a_users_text_is_cut_into_three_parts_with_one_vocabulary(tmp_path):
    lines = [f"word{n % 7} and word{n % 3}" for n in range(100)] + ["never seen before"]
    data = load_text("text", text_path=write(tmp_path / "mine.txt", "\n".join(lines) + "\n\n"))
    assert [len(part) for part in (data.train, data.validation, data.test)] == [4 * 91, 20, 20]
    assert data.vocabulary[0] in ("and", "<eos>") and "<unk>" in data.vocabulary
    assert data.test[-4:].tolist() == [data.vocabulary.index(word) for word in ("<unk>", "<unk>", "<unk>", "<eos>")]


def test_a_limited_vocabulary_keeps_the_most_frequent_words(tmp_path):
    data = load_text("text", text_path=write(tmp_path / "t", "a a b\n" * 50 + "c a b\n" * 5), vocabulary_size=3)
    assert data.vocabulary == ("a", "<eos>", "<unk>")


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "too short"),
        (b"one line\n", "too short"),
        (b"fine\nfine\n\xff\xfe bad\nfine\n", "not UTF-8: line 3, byte 1"),
        ("a\n".encode("utf-16"), "not UTF-8: line 1"),
    ],
)
def test_unusable_texts_are_refused(tmp_path, content, message):
    with pytest.raises(DataError, match=message) as refusal:
        load_text("text", text_path=write(tmp_path / "t.txt", content))
    assert str(tmp_path / "t.txt") in str(refusal.value)


def test_a_missing_text_and_an_unknown_name_are_refused(tmp_path):
    with pytest.raises(DataError, match="`text_path`"):
        load_text("text", text_path=tmp_path / "none.txt")
    with pytest.raises(ValueError, match="ptb"):
        load_text("ptd")
    with pytest.raises(DataError, match=r"The vocabulary of .*/t covers no word"):
        load_text("text", text_path=write(tmp_path / "t", "a b\n" * 50), vocabulary_size=2)


def test_every_word_is_predicted_exactly_once_from_the_one_before():
    words = np.arange(100, 123, dtype=np.int32)
    inputs, targets, weights = streams(words, 5)
    assert weights.sum() == len(words)
    assert sorted(targets[weights > 0]) == words.tolist()
    assert all(after - before == 1 or after == 100 for before, after in zip(inputs[weights > 0], targets[weights > 0]))
    with pytest.raises(DataError, match="`batch_size`"):
        streams(words, 24)


def test_published_files_that_are_damaged_are_not_used(tmp_path):
    (tmp_path / "ptb").mkdir()
    write(tmp_path / "ptb" / "ptb.train.txt", "not the Penn Treebank\n")

    def fetch(url, file, _):
        raise OSError("no network")

    with pytest.raises(OSError, match="no network"):
        load_text("ptb", data_dir=tmp_path, fetch=fetch)


def test_a_text_is_told_apart_by_its_words(tmp_path):
    file = tmp_path / "t"
    first = load_text("text", text_path=write(file, "a b c\n" * 50)).identity
    again = load_text("text", text_path=file).identity
    changed = load_text("text", text_path=write(file, "a b d\n" * 50)).identity
    assert first == again and first["source"] == str(file)
    assert changed["fingerprint"] != first["fingerprint"]
