"""Spaces given as lists: tables of codes, and some architectures of another space."""

from __future__ import annotations

from itertools import product

import pytest

from alphaxenas.spaces import Code, NASBench101, NASBench201, Subset, Table
from alphaxenas.spaces.listed.table import split_codes
from alphaxenas.spaces.listed.trie import SequenceTrie

KERNELS = Table((("3x3", "8", "max"), ("3x3", "16", "max"), ("5x5", "8", "avg"), ("5x5", "128", "max")), separator="|")


class TestSplitting:
    @pytest.mark.parametrize(
        ("texts", "codes", "separator"),
        [
            (["013", "210"], [("0", "1", "3"), ("2", "1", "0")], ""),
            (["0,13", "2,10"], [("0", "13"), ("2", "10")], ","),
            (["(0, 13)", "[2, 10]"], [("0", "13"), ("2", "10")], ","),
            (["conv_3x3|max_pool", "skip|none"], [("conv_3x3", "max_pool"), ("skip", "none")], "|"),
            (["|a|b|", "|c|d|"], [("a", "b"), ("c", "d")], "|"),
            (["a-b/c", "d/e"], [("a-b", "c"), ("d", "e")], "/"),
            (["-1 2", "3 -4"], [("-1", "2"), ("3", "-4")], " "),
            (["a_b", "c_d"], [("a", "b"), ("c", "d")], "_"),
            (["a;b", "c;d"], [("a", "b"), ("c", "d")], ";"),
            (["8:64", "16:8"], [("8", "64"), ("16", "8")], ":"),
            (["7"], [("7",)], ""),
        ],
    )
    def test_codes_are_taken_apart_as_a_person_would(self, texts, codes, separator):
        assert split_codes(texts) == (codes, separator)

    @pytest.mark.parametrize(
        ("texts", "place"),
        [
            (["012", "01", "210"], 1),
            (["01", "012", "210"], 0),
            (["0,1", "0,1,2", "1,1"], 1),
            (["0,1", "0,"], 1),
            (["01", "()"], 1),
        ],
    )
    def test_a_code_of_another_length_than_most_is_found(self, texts, place):
        with pytest.raises(ValueError, match="Expected [23] values") as caught:
            split_codes(texts)
        assert caught.value.args[1] == place


class TestTable:
    def test_every_position_has_words_of_its_own_in_the_order_of_numbers(self):
        assert KERNELS.vocabulary == ("0=3x3", "0=5x5", "1=8", "1=16", "1=128", "2=avg", "2=max")
        named = Table(KERNELS.codes, positions=("kernel", "width", "pool"))
        assert named.vocabulary[:2] == ("kernel=3x3", "kernel=5x5")
        assert (named.separator, str(named.parse("3x3,8,max"))) == (",", "3x3,8,max")

    def test_only_what_ends_in_a_code_of_the_table_is_legal(self):
        words = KERNELS.vocabulary
        assert [words[token] for token in KERNELS.legal_actions((0,))] == ["1=8", "1=16"]
        assert [words[token] for token in KERNELS.legal_actions((1,))] == ["1=8", "1=128"]
        assert [words[token] for token in KERNELS.legal_actions((1, 2))] == ["2=avg"]
        with pytest.raises(ValueError, match=r"at place 1. Expected one of \(2, 3\). Received: 4"):
            KERNELS.legal_actions((0, 4))

    def test_the_code_is_the_key_in_the_tables_own_spelling(self):
        code = KERNELS.parse("5x5|128|max")
        assert KERNELS.key(code) == str(code) == "5x5|128|max"
        assert KERNELS.parse('{"code": ["5x5", "128", "max"]}') == code
        assert KERNELS.encode(Code(("5x5", "128", "max"))) == KERNELS.encode(code)

    def test_neighbours_are_codes_of_the_table(self):
        assert list(map(str, KERNELS.neighbours(KERNELS.parse("3x3|8|max")))) == ["3x3|16|max"]
        assert KERNELS.neighbours(KERNELS.parse("5x5|8|avg")) == []

    def test_features_are_the_code_the_counts_of_its_values_and_its_amounts(self):
        def named(table, text):
            values = zip(table.feature_names(), table.features(table.parse(text)), strict=True)
            return {name: float(value) for name, value in values if value}

        assert named(KERNELS, "5x5|128|max") == {
            "0=5x5": 1,
            "1=128": 1,
            "2=max": 1,
            "level of 1": 128,
            "sum of levels": 128,
        }
        cells = Table((("1", "0", "1"), ("0", "2", "1"), ("2", "0", "0"), ("0", "1", "2")))
        assert named(cells, "101") == {
            "0=1": 1,
            "1=0": 1,
            "2=1": 1,
            "number of 0": 1,
            "number of 1": 2,
        }  # digits are labels
        widths = Table(tuple((a, b) for a in ("8", "16", "64") for b in ("8", "32", "64")))
        assert named(widths, "16,64") == {
            "0=16": 1,
            "1=64": 1,
            "number of 64": 1,
            "level of 0": 16,
            "level of 1": 64,
            "sum of levels": 80,
        }
        for table, groups in (
            (KERNELS, ["code", "levels"]),
            (cells, ["code", "counts"]),
            (widths, ["code", "counts", "levels"]),
        ):
            found = table.feature_groups()
            assert list(found) == groups
            ends = [columns.stop for columns, _ in found.values()]
            assert [columns.start for columns, _ in found.values()] == [0, *ends[:-1]] and ends[-1] == len(
                table.feature_names()
            )

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("3x3|8", r"Expected 3 values, as in '3x3\|8\|max'. Received: '3x3\|8'"),
            ("3x3|9|max", "at position 1. Expected one of 8, 16, 128. Received: '9'"),
            ("3x3|8|avg", "one of the table's 4 codes. Received: '3x3.8.avg', which it lacks"),
            ('{"code": "3x3"}', 'Expected {"code"'),
            ("{", "valid JSON"),
        ],
    )
    def test_codes_that_the_table_lacks_are_refused_with_a_message(self, text, message):
        with pytest.raises(ValueError, match=message):
            KERNELS.parse(text)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"codes": ()}, "at least one code"),
            ({"codes": (("0", "1"), ("0",))}, "at place 1. Expected 2 values"),
            ({"codes": ((),)}, "Expected one or more values"),
            ({"codes": (("0",), ("1",), ("0",))}, r"every code once. Received: \('0',\)"),
            ({"codes": (("0", "1"),), "positions": ("a", "a")}, "2 different names"),
        ],
    )
    def test_impossible_tables_are_refused(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            Table(**arguments)

    def test_equal_tables_are_equal_and_others_are_not(self):
        assert Table(KERNELS.codes, separator="|") == KERNELS != Table(KERNELS.codes[:3], separator="|")


class TestTrie:
    def test_sequences_of_different_length_keep_apart(self):
        trie = SequenceTrie([(0, 9), (0, 1, 2), (0, 1, 9), (3,)])
        assert (
            trie.legal_actions(()) == (0, 3)
            and trie.legal_actions((0,)) == (1, 9)
            and trie.legal_actions((0, 1)) == (2, 9)
        )
        assert trie.legal_actions((3,)) == trie.legal_actions((0, 9)) == ()

    def test_it_says_where_a_sequence_goes_wrong(self):
        trie = SequenceTrie([(0, 1, 2), (3,)])
        with pytest.raises(ValueError, match=r"at place 1. Expected one of \(1,\). Received: 7"):
            trie.legal_actions((0, 7, 2))
        with pytest.raises(ValueError, match="at place 1. Expected the sequence to end after 1 tokens. Received: 0"):
            trie.legal_actions((3, 0))
        with pytest.raises(ValueError, match=r"complete sequence. Received: \(0,\), which goes on with one of \(2,\)"):
            Table((("a", "b"), ("c", "d"))).decode((0,))

    def test_it_agrees_with_looking_at_every_sequence(self):
        sequences = [sequence for sequence in product(range(3), repeat=4) if sum(sequence) % 4 == 1]
        trie = SequenceTrie(sequences)
        for depth in range(5):
            for prefix in {sequence[:depth] for sequence in sequences}:
                following = (
                    {sequence[depth] for sequence in sequences if sequence[:depth] == prefix} if depth < 4 else set()
                )
                assert trie.legal_actions(prefix) == tuple(sorted(following))


class TestSubset:
    PARENT = NASBench101(5)
    ONE = PARENT.parse("conv3x3-bn-relu(0) maxpool3x3(0) output(1,2)")
    TURNED = PARENT.parse("maxpool3x3(0) conv3x3-bn-relu(0) output(1,2)")
    CHAIN = PARENT.parse("conv3x3-bn-relu(0) maxpool3x3(1) output(2)")

    def test_one_sequence_per_key_and_isomorphic_cells_are_found_under_it(self):
        pool = Subset(self.PARENT, (self.TURNED, self.CHAIN))
        assert self.PARENT.key(self.ONE) == self.PARENT.key(self.TURNED) and self.ONE != self.TURNED
        assert pool.encode(self.ONE) == pool.encode(self.TURNED) == self.PARENT.encode(self.TURNED)
        assert pool.parse(str(self.ONE)) == self.TURNED
        with pytest.raises(ValueError, match="at place"):
            pool.decode(self.PARENT.encode(self.ONE))

    def test_neighbours_are_members_in_the_form_in_which_they_were_given(self):
        between = self.PARENT.parse("conv3x3-bn-relu(0) maxpool3x3(0,1) output(1,2)")
        far = self.PARENT.parse("output(0)")
        pool = Subset(self.PARENT, (self.TURNED, self.CHAIN, between, far))
        assert pool.neighbours(between) == [self.TURNED]
        assert set(pool.neighbours(self.ONE)) == {between}

    def test_two_forms_of_one_cell_strangers_and_nothing_are_refused(self):
        with pytest.raises(ValueError, match="Expected different keys"):
            Subset(self.PARENT, (self.ONE, self.TURNED))
        with pytest.raises(ValueError, match="at least one"):
            Subset(self.PARENT, ())
        with pytest.raises(ValueError, match="Expected one of the 1 members"):
            Subset(self.PARENT, (self.ONE,)).encode(self.CHAIN)

    def test_keys_and_features_are_the_parents(self):
        parent = NASBench201()
        cells = tuple(map(parent.parse, ("000300", "444444")))
        pool = Subset(parent, cells)
        assert [pool.key(cell) for cell in cells] == list(map(parent.key, cells))
        assert (
            pool.features(cells[0]) == parent.features(cells[0])
        ).all() and pool.feature_names() == parent.feature_names()
