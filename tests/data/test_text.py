"""Texts: published ones are checked, a user's are read by word, made ones have the entropy that is claimed."""

from __future__ import annotations

import gzip
import hashlib
import io
import math
import os
import zipfile
from collections import Counter

import numpy as np
import pytest

from alphaxenas.data import grammar, text
from alphaxenas.data.download import DataError, RemoteFile
from alphaxenas.data.text import WIKITEXT2, WIKITEXT2_WORDS, load_text, streams
from alphaxenas.report.language_figures import describe_text
from tests.data.real import ROOT, real_table


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


def test_a_part_whose_words_are_all_unknown_is_refused(tmp_path):
    english, other = "a cat and a dog\n" * 90, "ein Hund\n" * 5
    for lines, part in ((english + other + english[:80], "validation"), (english + other, "test")):
        with pytest.raises(DataError, match=f"The vocabulary of .*/t, 6 words .* covers no word of its {part} part"):
            load_text("text", text_path=write(tmp_path / "t", lines))
    with pytest.raises(DataError, match="3 words .* validation part.*larger `vocabulary_size`"):
        load_text("text", text_path=write(tmp_path / "t", "a a\n" * 90 + "b b b\n" * 10), vocabulary_size=3)


def test_the_share_of_unknown_words_is_told(tmp_path):
    lines = "a b c d\n" * 90 + "a b x y\n" * 5 + "a b c x\n" * 5
    data = load_text("text", text_path=write(tmp_path / "t", lines))
    assert data.unknown == {"training": 0.0, "validation": pytest.approx(2 / 5), "test": pytest.approx(1 / 5)}
    assert "unknown words: 0.00 % of training, 40.00 % of validation, 20.00 % of test" in describe_text(data)
    assert set(load_text("text", text_path=write(tmp_path / "t", "a b\n" * 50)).unknown.values()) == {0.0}


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


PACKED = {
    "wiki.train.tokens": " \n = Title = \n \n a <unk> of a word \n \n",
    "wiki.valid.tokens": " \n a word \n",
    "wiki.test.tokens": " \n of \n \n",
}


@pytest.fixture
def packed(monkeypatch):
    """A small archive in the form of WikiText-2, and what fetches it; addresses that were asked are its attribute."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        for name, content in PACKED.items():
            file.writestr(f"wikitext-2/{name}", content)
        file.writestr("wikitext-2/../outside", "not asked for")
    content = archive.getvalue()
    small = RemoteFile(WIKITEXT2.name, WIKITEXT2.url, len(content), hashlib.sha256(content).hexdigest())
    monkeypatch.setattr(text, "WIKITEXT2", small)
    words = {name: len(part.split()) + part.count("\n") for name, part in PACKED.items()}
    monkeypatch.setattr(text, "WIKITEXT2_WORDS", words)

    def fetch(url, stream, _):
        fetch.asked.append(url)
        stream.write(content)

    fetch.asked = []
    return fetch


def test_wikitext_2_is_downloaded_once_and_its_blank_lines_are_ends_of_lines(tmp_path, packed):
    data = load_text("wikitext2", data_dir=tmp_path, fetch=packed)
    words = [data.vocabulary[number] for number in data.train]
    assert words == "<eos> = Title = <eos> <eos> a <unk> of a word <eos> <eos>".split()
    assert [data.vocabulary[number] for number in data.test] == "<eos> of <eos> <eos>".split()
    assert packed.asked == ["https://wikitext.smerity.com/wikitext-2-v1.zip"]
    assert sorted(path.name for path in (tmp_path / "wikitext-2").iterdir()) == sorted(PACKED)
    assert load_text("wikitext2", data_dir=tmp_path, fetch=None).identity == data.identity


def test_an_archive_that_is_not_the_published_one_is_refused(tmp_path, packed, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.setattr(text, "WIKITEXT2", WIKITEXT2)
    with pytest.raises(DataError, match="Could not download .*Expected 4,475,746 bytes"):
        load_text("wikitext2", data_dir=tmp_path, fetch=packed)
    assert not (tmp_path / "wikitext-2").exists()


def test_a_folder_of_wikitext_2_without_a_file_says_which_and_where_it_is(tmp_path, packed):
    load_text("wikitext2", data_dir=tmp_path, fetch=packed)
    (tmp_path / "wikitext-2" / "wiki.valid.tokens").unlink()
    with pytest.raises(DataError, match="/wikitext-2 lacks wiki.valid.tokens .*Remove .*smerity.com") as refusal:
        load_text("wikitext2", data_dir=tmp_path)
    assert "text_path" not in str(refusal.value)


def test_wikitext_2_that_is_the_penn_treebank_is_refused(tmp_path):
    """NAO-10: NAO's test of WikiText-2 reads the folder of the Penn Treebank."""
    (tmp_path / "ptb").mkdir()
    (tmp_path / "wikitext-2").symlink_to(tmp_path / "ptb")
    for part in ("train", "valid", "test"):
        write(tmp_path / "ptb" / f"ptb.{part}.txt", " a cat <unk> \n" * 9)
    with pytest.raises(DataError, match="lacks wiki.train.tokens, wiki.valid.tokens, wiki.test.tokens"):
        load_text("wikitext2", data_dir=tmp_path)
    for part in ("train", "valid", "test"):
        os.rename(tmp_path / "ptb" / f"ptb.{part}.txt", tmp_path / "ptb" / f"wiki.{part}.tokens")
    with pytest.raises(DataError, match="wiki.train.tokens is not that of WikiText-2. Expected 2,088,628 .* 36"):
        load_text("wikitext2", data_dir=tmp_path)


def test_the_real_penn_treebank_has_its_published_words(tmp_path):
    (tmp_path / "ptb").mkdir()
    for part in ("train", "valid", "test"):
        packed = real_table(f"ptb.{part}.txt.gz").read_bytes()
        write(tmp_path / "ptb" / f"ptb.{part}.txt", gzip.decompress(packed))
    data = load_text("ptb", data_dir=tmp_path)
    assert [len(part) for part in (data.train, data.validation, data.test)] == [929_589, 73_760, 82_430]
    lines = [int((part == data.vocabulary.index("<eos>")).sum()) for part in (data.train, data.validation, data.test)]
    assert lines == [42_068, 3_370, 3_761] and len(data.vocabulary) == 10_000
    assert data.unknown["training"] == pytest.approx(0.0484, abs=5e-4)


def test_the_real_wikitext_2_has_its_published_words():
    folder = ROOT / "data"
    if not all((folder / "wikitext-2" / name).is_file() for name in WIKITEXT2_WORDS):
        pytest.skip("no wikitext-2 in data/")
    assert len(load_text("wikitext2", data_dir=folder).vocabulary) == 33_278


def test_a_text_is_told_apart_by_its_words(tmp_path):
    file = tmp_path / "t"
    first = load_text("text", text_path=write(file, "a b c\n" * 50)).identity
    again = load_text("text", text_path=file).identity
    changed = load_text("text", text_path=write(file, "a b d\n" * 50)).identity
    assert first == again and first["source"] == str(file)
    assert changed["fingerprint"] != first["fingerprint"]
