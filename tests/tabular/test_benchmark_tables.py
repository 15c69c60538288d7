"""Tables: what is read from every kind of file, and what is said when something is wrong with it."""

from __future__ import annotations

import base64
import gzip
import json
import subprocess
import sys
from itertools import product

import numpy as np
import pytest

from alphaxenas.data.download import DataError
from alphaxenas.spaces import NASBench101, NASBench101Cell, NASBench201, Subset, Table
from alphaxenas.spaces.nasbench.cell101 import OPERATIONS_101
from alphaxenas.tabular.benchmark_tables import ANY_EPOCHS, read_table
from alphaxenas.tabular.nasbench_records import Training, metrics_message, read_training
from tests.data.real import ROOT, real_table

HEADER = "code,valid,test,seconds"
ROWS = ("013,0.5,0.4,10", "210,0.75,0.7,20", "013".replace("3", "4") + ",0.25,0.3,30")
CONV, SMALL, POOL = OPERATIONS_101


def written(folder, *lines, name="table.csv"):
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def table(folder, *lines, code="code", signal="valid", name="table.csv", **options):
    return read_table(written(folder, *lines, name=name), code, signal, **options)


class TestCSV:
    def test_rows_become_codes_signal_report_and_cost(self, tmp_path):
        found = table(tmp_path, HEADER, *ROWS, report="test", cost="seconds")
        assert isinstance(found.space, Table) and len(found) == found.space.size() == 3
        assert found.signal.tolist() == [0.5, 0.75, 0.25] == found.rewards.tolist()
        assert found.report.tolist() == [0.4, 0.7, 0.3] and found.cost.tolist() == [10, 20, 30]
        assert (found.optimum, found.percent, found.name, found.epochs) == (0.75, False, "table", ANY_EPOCHS)
        assert [found.lookup(found.space.encode(found.space.parse(code))) for code in ("210", "014", "013")] == [
            1,
            2,
            0,
        ]
        assert table(tmp_path, HEADER, *ROWS).report is None

    def test_percent_become_rewards_in_fractions_and_other_numbers_stay(self, tmp_path):
        percent = table(tmp_path, HEADER, "0,93.5,90,1", "1,0.8,80,1")
        assert percent.percent and percent.rewards.tolist() == pytest.approx([0.935, 0.008]) and percent.optimum == 93.5
        for values in (("-3.5", "2"), ("250", "3")):
            other = table(tmp_path, HEADER, f"0,{values[0]},1,1", f"1,{values[1]},1,1")
            assert not other.percent and other.rewards.tolist() == list(map(float, values))

    def test_compressed_files_byte_order_marks_and_quotes_are_read(self, tmp_path):
        path = tmp_path / "long name.csv.gz"
        path.write_bytes(gzip.compress(("\ufeff" + HEADER + '\r\n"a,b",0.5,1,1\r\n\r\n"c,d",0.25,1,1\r\n').encode()))
        found = read_table(path, "code", "valid")
        assert found.space.codes == (("a", "b"), ("c", "d")) and found.name == "long name"

    def test_words_that_spreadsheets_take_for_nothing_are_codes(self, tmp_path):
        found = table(tmp_path, "code,valid", "None|NA,1", "null|nan,0.5")
        assert found.space.codes == (("None", "NA"), ("null", "nan"))

    def test_rows_are_chosen_by_the_values_of_other_columns(self, tmp_path):
        lines = ("set,epochs,code,valid", "a,4,00,0.1", "a,12,00,0.2", "b,4,00,0.3", "a,12,01,0.4")
        found = table(tmp_path, *lines, where={"set": "a"}, epochs=12)
        assert found.signal.tolist() == [0.2, 0.4] and found.epochs == 12
        assert table(tmp_path, *lines, where={"set": "b", "epochs": 4}).signal.tolist() == [0.3]
        with pytest.raises(DataError, match="Expected rows with .*'c'.*Received: none. These columns hold set: a, b"):
            table(tmp_path, *lines, where={"set": "c"})

    def test_repeats_are_averaged_when_asked_for(self, tmp_path):
        lines = (HEADER, "01,0.5,0.1,1", "10,0.2,0.2,2", "01,0.75,0.3,3")
        found = table(tmp_path, *lines, report="test", cost="seconds", repeats="mean")
        assert found.signal.tolist() == [0.625, 0.2] and found.report.tolist() == pytest.approx([0.2, 0.2])
        assert found.cost.tolist() == [2, 2] and len(found.space.codes) == 2

    def test_one_column_may_be_signal_and_report_only_on_request(self, tmp_path):
        with pytest.raises(ValueError, match="`report`. Expected another column than `signal`.*same_signal_and_report"):
            table(tmp_path, HEADER, *ROWS, report="valid")
        found = table(tmp_path, HEADER, *ROWS, report="valid", same_signal_and_report=True)
        assert found.report.tolist() == found.signal.tolist()


class TestWrongCSV:
    @pytest.mark.parametrize(
        ("lines", "message"),
        [
            (
                (HEADER, *ROWS, "210,0.1,0.1,1"),
                "row 4, column 'code': Expected every architecture once. Received: 210, which is in row 2",
            ),
            ((HEADER, *ROWS, "0 1 3,0.1,0.1,1"), "row 4, column 'code': ragged code. Expected 1 values"),
            ((HEADER, ROWS[0], "01,0.1,0.1,1", ROWS[1]), "row 2, column 'code': ragged code. Expected 3 values"),
            ((HEADER, ROWS[0], ",0.1,0.1,1"), "row 2, column 'code': Expected a code. Received: nothing"),
            ((HEADER, ROWS[0], "210,good,0.1,1"), "row 2, column 'valid': Expected a finite number. Received: 'good'"),
            ((HEADER, ROWS[0], "210,,0.1,1"), "row 2, column 'valid': Expected a finite number. Received: nothing"),
            ((HEADER, ROWS[0], "210,nan,0.1,1"), "row 2, column 'valid': Expected a finite number. Received: 'nan'"),
            ((HEADER, ROWS[0], "210,0.1,inf,1"), "row 2, column 'test': Expected a finite number. Received: 'inf'"),
            (
                (HEADER, ROWS[0], "210,0.1,0.1,1 h"),
                "row 2, column 'seconds': Expected a finite number. Received: '1 h'",
            ),
            ((HEADER, ROWS[0], "210,0.1,0.1"), "row 2: Expected 4 values, as in the header. Received: 3"),
            ((HEADER, ROWS[0], '210,"0.1'), "row 2: cannot be read as a CSV table"),
            ((HEADER,), "Expected a header and rows"),
            (("code,valid,valid", "0,1,1"), "Expected every column once. Received: 'valid'"),
        ],
    )
    def test_the_message_names_file_row_and_column(self, tmp_path, lines, message):
        with pytest.raises(DataError, match=message) as caught:
            table(tmp_path, *lines, report="test", cost="seconds")
        assert "table.csv" in str(caught.value)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (
                {"signal": "valld"},
                "`signal` in .*table.csv. Expected one of code, valid, test, seconds.*'valld'. Did you mean 'valid'",
            ),
            ({"code": "codes"}, "`code` in .* Did you mean 'code'"),
            ({"report": "tests"}, "`report` in .* Did you mean 'test'"),
            ({"cost": "second"}, "`cost` in .* Did you mean 'seconds'"),
            ({"where": {"cod": "1"}}, "`where` in .* Did you mean 'code'"),
            ({"epochs": 4}, "`epochs` in .*tells no epochs"),
            ({"repeats": "first"}, "`repeats`. Expected None or 'mean'"),
            ({"space": "tables"}, "`space`. Expected one of auto, table.* Did you mean 'table'"),
        ],
    )
    def test_impossible_arguments_are_named_with_the_nearest_possible_one(self, tmp_path, options, message):
        with pytest.raises(ValueError, match=message):
            table(tmp_path, HEADER, *ROWS, **options)

    def test_files_that_are_missing_cut_short_or_of_another_kind_are_refused(self, tmp_path):
        with pytest.raises(DataError, match="Expected a table. Received: .*none.csv, which does not exist"):
            read_table(tmp_path / "none.csv", "code", "valid")
        with pytest.raises(ValueError, match="Expected a file that ends in .csv, .csv.gz"):
            read_table(written(tmp_path, HEADER, *ROWS, name="table.txt"), "code", "valid")
        path = tmp_path / "table.csv.gz"
        path.write_bytes(
            gzip.compress(("\n".join([HEADER, *(f"{code:05},0.1,0.1,1" for code in range(10_000))])).encode())[:3000]
        )
        with pytest.raises(DataError, match="table.csv.gz, row .*cannot be read as a CSV table"):
            read_table(path, "code", "valid")
        path.write_text("not compressed")
        with pytest.raises(DataError, match="cannot be read as a CSV table"):
            read_table(path, "code", "valid")
        (tmp_path / "bytes.csv").write_bytes(b"code,valid\n\xff\xfe\x00,1\n")
        with pytest.raises(DataError, match="cannot be read as a CSV table"):
            read_table(tmp_path / "bytes.csv", "code", "valid")


def strings(digits):
    space = NASBench201()
    return [str(space.parse(code)) for code in digits]


class TestRecognition:
    DIGITS = ("012340", "000000", "444444")

    def test_strings_of_nasbench201_and_confirmed_digits_live_in_its_space(self, tmp_path):
        lines = [
            f"{string},{digits},0.{place + 1}"
            for place, (string, digits) in enumerate(zip(strings(self.DIGITS), self.DIGITS))
        ]
        for column in ("arch_str", "op_code"):
            found = table(tmp_path, "arch_str,op_code,valid", *lines, code=column)
            assert found.space == NASBench201() and found.lookup((0, 1, 2, 3, 4, 0)) == 0
            assert found.lookup((4,) * 6) == 2 and found.lookup((1,) * 6) is None

    def test_digits_alone_or_contradicted_are_a_table_of_codes(self, tmp_path):
        lines = [f"{digits},0.1" for digits in self.DIGITS]
        assert isinstance(table(tmp_path, "op_code,valid", *lines, code="op_code").space, Table)
        lines = [f"{string},{digits},0.1" for string, digits in zip(strings(reversed(self.DIGITS)), self.DIGITS)]
        assert isinstance(table(tmp_path, "arch_str,op_code,valid", *lines, code="op_code").space, Table)
        assert (
            table(tmp_path, "arch_str,op_code,valid", *lines, code="op_code", space="nasbench201").space
            == NASBench201()
        )
        assert isinstance(
            table(tmp_path, "arch_str,op_code,valid", *lines, code="arch_str", space="table").space, Table
        )

    def test_a_wrong_string_among_strings_is_named(self, tmp_path):
        first, second, _ = strings(self.DIGITS)
        with pytest.raises(DataError, match="row 2, column 'code': .*edge 0->1.*Did you mean 'none'"):
            table(tmp_path, "code,valid", f"{first},0.1", f"{second.replace('none~0|+', 'non~0|+', 1)},0.1")

    @pytest.mark.parametrize(("vertices", "rows"), [(3, 7), (4, 91), (5, 400)])
    def test_hashes_live_in_the_smallest_space_that_holds_them(self, tmp_path, vertices, rows):
        space = NASBench101(vertices)
        keys = list(dict.fromkeys(map(space.key, space.architectures())))
        keys = keys[:: len(keys) // rows][: rows - 1] + [keys[-1]]
        found = table(
            tmp_path, "hash,valid", *(f"{key.upper()},{place / 1000}" for place, key in enumerate(keys)), code="hash"
        )
        assert found.space == space
        for tokens in (space.encode(space.sample(np.random.default_rng(seed))) for seed in range(50)):
            key = space.key(space.decode(tokens))
            assert found.lookup(tokens) == (keys.index(key) if key in keys else None)

    def test_hashes_that_are_none_of_nasbench101_are_refused(self, tmp_path):
        with pytest.raises(DataError, match="row 1, column 'hash': Expected hashes of cells with at most 7 vertices"):
            table(tmp_path, "hash,valid", *(f"{number:032x},0.1" for number in range(100_000)), code="hash")
        with pytest.raises(DataError, match="row 2, column 'hash': Expected a hash of 32 hexadecimal digits"):
            table(tmp_path, "hash,valid", f"{1:032x},0.1", "xyz,0.1", code="hash", space="nasbench101")

    def test_a_given_space_reads_the_codes_in_its_own_forms(self, tmp_path):
        space = NASBench101(4)
        cells = [f"{CONV}(0) {POOL}(0) output(1,2)", f"{CONV}(0) output(0,1)"]
        found = table(
            tmp_path,
            "cell,valid",
            *(f'"{cell}",0.{place + 1}' for place, cell in enumerate(cells)),
            code="cell",
            space=space,
        )
        turned = space.parse(f"{POOL}(0) {CONV}(0) output(1,2)")
        assert found.space is space and found.lookup(space.encode(turned)) == 0


class TestRealTables:
    def test_nasbench201_is_whole_and_has_its_published_optima(self):
        path = real_table("nasbench201_cifar.csv.gz")
        for column, best in (("cifar10_test_200ep_mean", 94.3733), ("cifar100_test_200ep_mean", 73.5133)):
            found = read_table(path, "op_code", column)
            assert found.space == NASBench201() and len(found) == 15_625 and found.percent
            assert found.optimum == pytest.approx(best, abs=1e-4)
        with pytest.raises(DataError, match="Expected a finite number"):
            read_table(path, "op_code", "arch_str")

    def test_the_smallest_cells_are_whole_and_their_hashes_are_those_of_the_enumerated_space(self):
        path = real_table("ecnas_4v_5v.csv.gz")
        found = read_table(
            path, "module_hash", "val_acc", "test_acc", "train_time_s", where={"table": "5V9E"}, epochs=4
        )
        assert found.space == NASBench101(5)
        assert set(found.rows) == set(map(found.space.key, found.space.architectures())) and len(found) == 2532
        four = {"where": {"table": "4V9E"}, "epochs": 108}
        with pytest.raises(DataError, match="row .*, column 'module_hash': Expected every architecture once"):
            read_table(path, "module_hash", "val_acc", **four)
        averaged = read_table(path, "module_hash", "val_acc", repeats="mean", **four)
        assert (
            set(averaged.rows) == set(map(averaged.space.key, averaged.space.architectures())) and len(averaged) == 91
        )

    def test_all_hashes_of_the_sample_are_those_of_its_cells(self):
        # Reading computes all 20,001 of them and refuses the file where one differs.
        found = read_table(real_table("nasbench101_20k.npz"), "module_hash", "val_acc_108", cost="train_time_108_s")
        assert isinstance(found.space, Subset) and len(found) == found.space.size() == 20_001
        assert found.optimum == pytest.approx(0.9491, abs=1e-4) and sorted(found.scores) == [4, 12, 36, 108]
        rng = np.random.default_rng(0)
        for _ in range(50):
            cell = found.space.sample(rng)
            assert found.lookup(found.space.encode(cell)) == found.rows[found.space.key(cell)]


def small_pool(folder, **changes):
    """A file like the sample, of seven cells, with arrays changed or, where None, left out."""
    space = NASBench101(3)
    cells = list(space.architectures())
    arrays = {
        "module_hash": np.array([list(bytes.fromhex(space.key(cell))) for cell in cells], np.uint8),
        "adjacency": np.zeros((7, 7, 7), np.uint8),
        "ops": np.full((7, 7), -3, np.int8),
        "num_vertices": np.array([len(cell.operations) + 2 for cell in cells], np.uint8),
        "epochs": np.array([4, 108], np.int16),
        "val_acc": np.arange(14, dtype=np.float32).reshape(7, 2) / 20,
        "train_time_108_s": np.arange(7, dtype=np.float32),
    }
    for row, cell in enumerate(cells):
        size = len(cell.operations) + 2
        arrays["adjacency"][row, :size, :size] = cell.matrix()
        arrays["ops"][row, :size] = [-1, *map(OPERATIONS_101.index, cell.operations), -2]
    arrays = {name: array for name, array in (arrays | changes).items() if array is not None}
    np.savez(folder / "pool.npz", **arrays)
    return folder / "pool.npz", arrays


class TestPool:
    def test_budgets_signal_and_cost(self, tmp_path):
        path, arrays = small_pool(tmp_path)
        found = read_table(path, "module_hash", "val_acc_108", cost="train_time_108_s")
        assert found.space.size() == 7 and found.epochs == 108 and found.report is None
        assert found.signal.tolist() == arrays["val_acc"][:, 1].tolist() and found.cost.tolist() == list(range(7))
        assert found.scores[4].signal.tolist() == arrays["val_acc"][:, 0].tolist() and found.scores[4].cost is None

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda a: {"val_acc": None}, "Expected the arrays .*Received: no val_acc"),
            (lambda a: {"ops": a["ops"][:3]}, r"column 'ops': Expected the shape \[7, 7\]. Received: \[3, 7\]"),
            (
                lambda a: {"module_hash": a["module_hash"][::-1]},
                "row 1, column 'module_hash': Expected the hash of the cell",
            ),
            (
                lambda a: {
                    "module_hash": a["module_hash"][[0, 1, 1, 3, 4, 5, 6]],
                    "adjacency": a["adjacency"][[0, 1, 1, 3, 4, 5, 6]],
                    "ops": a["ops"][[0, 1, 1, 3, 4, 5, 6]],
                },
                "row 3, column 'module_hash': Expected every architecture once.*row 2",
            ),
            (
                lambda a: {"val_acc": np.where(np.arange(14).reshape(7, 2) == 5, np.nan, a["val_acc"])},
                "row 3, column 'val_acc_108'.*nan",
            ),
            (lambda a: {"ops": np.full((7, 7), 9, np.int8)}, "row 1, column 'ops' or 'adjacency': no cell"),
            (lambda a: {"adjacency": a["adjacency"] * 2}, "row 1, column 'ops' or 'adjacency': no cell"),
        ],
    )
    def test_what_is_wrong_is_named(self, tmp_path, change, message):
        path, _ = small_pool(tmp_path, **change(small_pool(tmp_path)[1]))
        with pytest.raises(DataError, match=message):
            read_table(path, "module_hash", "val_acc_108")

    def test_other_files_are_refused(self, tmp_path):
        path = tmp_path / "pool.npz"
        path.write_bytes(b"PK\x03\x04 no archive")
        with pytest.raises(DataError, match="cannot be read as an .npz of plain arrays"):
            read_table(path, "module_hash", "val_acc_108")
        np.savez(path, module_hash=np.array([{}], dtype=object))
        with pytest.raises(DataError, match="Python objects are never loaded"):
            read_table(path, "module_hash", "val_acc_108")

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"signal": "val_acc"}, "`signal`.*Did you mean 'val_acc_"),
            ({"epochs": 4}, "`epochs`.*'val_acc_108' says the budget"),
            ({"where": {"a": "b"}}, "`where`"),
            ({"repeats": "mean"}, "`repeats`. Expected it for CSV tables alone"),
            ({"space": "table"}, "`space`. Expected it for CSV tables alone"),
        ],
    )
    def test_arguments_that_mean_nothing_here_are_refused(self, tmp_path, options, message):
        path, _ = small_pool(tmp_path)
        with pytest.raises(ValueError, match=message):
            read_table(path, "module_hash", **{"signal": "val_acc_108", **options})


def metrics(valid, test, seconds, parameters=300_000):
    """As the benchmark writes them: at the start, half way, at the end."""
    message = metrics_message()(trainable_parameters=parameters, total_time=seconds + 7.0)
    columns = ("current_epoch", "training_time", "train_accuracy", "validation_accuracy", "test_accuracy")
    evaluations = ((0.0, 0.0, 0.1, 0.1, 0.1), (54.0, seconds / 2, 0.5, 0.45, 0.4), (108.0, seconds, 1.0, valid, test))
    for values in evaluations:
        message.evaluation_data.add(checkpoint_path="/some/checkpoint", **dict(zip(columns, values)))
    return message.SerializeToString()


def record(cell, epochs, message, name=None):
    adjacency = "".join(map(str, cell.matrix().ravel()))
    operations = ",".join(["input", *cell.operations, "output"])
    name = name or NASBench101().key(cell)
    return json.dumps([name, epochs, adjacency, operations, base64.encodebytes(message).decode()]).encode()


def tfrecords(folder, records, name="nasbench_only108.tfrecord"):
    import tensorflow as tf

    path = folder / name
    with tf.io.TFRecordWriter(str(path)) as writer:
        for content in records:
            writer.write(content)
    return path


CELLS = list(NASBench101(4).architectures())[:40:4]


def trainings(cells=CELLS, epochs=(108,), repeats=3):
    """Records of cells: validation accuracy 0.5 + 0.01 * place, repeats 0.001 apart, at fewer epochs less."""
    for place, cell in enumerate(cells):
        for budget in epochs:
            for repeat in range(repeats):
                valid = 0.5 + 0.01 * place + 0.001 * repeat - 1 / budget
                yield record(cell, budget, metrics(valid, valid - 0.02, 10.0 * budget + repeat))


NAMES = {"code": "module_hash", "signal": "validation_accuracy", "report": "test_accuracy", "cost": "training_time"}


class TestRecords:
    def test_signal_report_and_cost_are_means_of_the_final_evaluations(self, tmp_path):
        found = read_table(tfrecords(tmp_path, trainings()), **NAMES)
        assert len(found) == 10 and found.epochs == 108 and found.space == NASBench101(4)
        expected = 0.5 + 0.01 * np.arange(10) + 0.001 - 1 / 108
        np.testing.assert_allclose(found.signal, expected, rtol=1e-12)
        np.testing.assert_allclose(found.report, expected - 0.02, rtol=1e-12)
        np.testing.assert_allclose(found.cost, 1081.0)

    def test_isomorphic_graphs_hit_the_same_entry_and_others_are_missing(self, tmp_path):
        one, turned = (
            NASBench101Cell(names, ((0, 1), (0, 2), (1, 3), (2, 3))) for names in ((CONV, POOL), (POOL, CONV))
        )
        found = read_table(tfrecords(tmp_path, trainings([one])), **NAMES)
        assert one != turned
        assert found.lookup(found.space.encode(one)) == found.lookup(found.space.encode(turned)) == 0
        assert found.lookup(found.space.encode(found.space.parse("output(0)"))) is None

    def test_budgets_and_single_repeats_can_be_chosen(self, tmp_path):
        path = tfrecords(tmp_path, trainings(epochs=(4, 108)), "nasbench_full.tfrecord")
        found = read_table(path, **NAMES, epochs=4)
        assert found.epochs == 4 and sorted(found.scores) == [4, 108]
        np.testing.assert_allclose(found.signal, 0.5 + 0.01 * np.arange(10) + 0.001 - 1 / 4)
        np.testing.assert_allclose(found.scores[108].signal, 0.5 + 0.01 * np.arange(10) + 0.001 - 1 / 108)
        last = read_table(path, **NAMES, where={"repeat": 2})
        np.testing.assert_allclose(last.signal, 0.5 + 0.01 * np.arange(10) + 0.002 - 1 / 108)
        parameters = read_table(path, "module_hash", "trainable_parameters")
        assert parameters.signal.tolist() == [300_000.0] * 10
        for options, message in (
            ({"epochs": 36}, "`epochs` in .*Expected one of 4, 108. Received: '36'"),
            ({"where": {"repeat": 3}}, "`where` in .*Expected one of 0, 1, 2"),
            ({"where": {"repeats": 1}}, "`where` in .*Did you mean 'repeat'"),
            ({"signal": "valid_accuracy"}, "`signal` in .*Did you mean 'validation_accuracy'"),
            ({"code": "hash"}, "`code` in .*Expected one of module_hash"),
        ):
            with pytest.raises(ValueError, match=message):
                read_table(path, **{**NAMES, **options})

    def test_a_file_of_more_than_one_batch_is_read_whole(self, tmp_path):
        cells = list(NASBench101(5).architectures())[::8]
        unique = list({NASBench101().key(cell): cell for cell in cells}.values())
        found = read_table(tfrecords(tmp_path, trainings(unique, repeats=1)), **NAMES)
        assert len(found) == len(unique) > 256
        assert list(found.rows) == [NASBench101().key(cell) for cell in unique]

    @pytest.mark.parametrize("good", [0, 5, 299])
    def test_a_file_cut_short_names_the_record(self, tmp_path, good):
        records = list(trainings(CELLS * 10))[:300]
        path = tfrecords(tmp_path, records[: good + 1])
        path.write_bytes(path.read_bytes()[:-7])
        with pytest.raises(
            DataError, match=rf"nasbench_only108.tfrecord, record {good + 1}: the file is cut short, damaged"
        ):
            read_table(path, **NAMES)

    def test_a_changed_byte_names_the_record(self, tmp_path):
        path = tfrecords(tmp_path, list(trainings())[:2])
        content = bytearray(path.read_bytes())
        content[-40] ^= 1
        path.write_bytes(content)
        with pytest.raises(DataError, match="record 2: the file is cut short, damaged"):
            read_table(path, **NAMES)

    def test_a_file_that_lacks_trainings_is_refused(self, tmp_path):
        path = tfrecords(tmp_path, list(trainings())[:-1])
        with pytest.raises(
            DataError, match="cut short or damaged. Expected 3 trainings of every cell at 108 epochs. Received: 2 of"
        ):
            read_table(path, **NAMES)

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"\x08\x01 some other record", "record 2: Expected JSON"),
            (b'{"a": 1}', "record 2: Expected .hash, epochs, adjacency, operations, metrics"),
            (b'["a", "108", "01", "input,output", ""]', "record 2: Expected .hash, epochs"),
            (b'["a", 108, "012", "input,output", ""]', "record 2: Expected an adjacency of 2 x 2 characters"),
            (record(CELLS[0], 108, metrics(0.5, 0.5, 1.0), "0" * 32), "record 2: Expected the hash of the cell"),
            (record(CELLS[0], 108, metrics(0.5, 0.5, 1.0)[:-3]), "record 2: Expected a ModelMetrics message"),
            (record(CELLS[0], 108, metrics(0.5, 0.5, 1.0)[:1]), "record 2: Expected a ModelMetrics message"),
            (record(CELLS[0], 108, b""), "record 2: Expected at least one evaluation"),
            (record(CELLS[0], 108, b"\x0b"), "record 2: Expected a ModelMetrics message"),
            (record(CELLS[0], 108, metrics(float("nan"), 0.5, 1.0)), "record 2: Expected a finite validation_accuracy"),
            (
                record(CELLS[0], 108, b"\x0a\x02\x20\x01"),  # an evaluation whose field 4 is the integer 1
                "record 2: Expected a number for validation_accuracy",
            ),
        ],
    )
    def test_foreign_records_are_named(self, tmp_path, content, message):
        path = tfrecords(tmp_path, [next(trainings()), content])
        with pytest.raises(DataError, match=message):
            read_table(path, **NAMES)

    def test_files_of_another_kind_are_refused(self, tmp_path):
        path = tmp_path / "nasbench_only108.tfrecord"
        path.write_text("hash,accuracy\n" * 50)
        with pytest.raises(DataError, match="record 1: the file is cut short, damaged or no TFRecord file"):
            read_table(path, **NAMES)
        path.write_bytes(b"")
        with pytest.raises(DataError, match="is empty"):
            read_table(path, **NAMES)

    def test_fields_that_this_reader_does_not_know_are_passed_over(self):
        later = b"\x4a\x05later" + b"\x50\x03" + b"\x59" + bytes(8) + b"\x65four"  # fields 9 to 12, one of each kind
        message = metrics(0.5, 0.25, 9.0) + later
        found = read_training(record(CELLS[3], 36, message))
        assert isinstance(found, Training) and found.epochs == 36 and found.cell() == CELLS[3]
        assert found.values == {
            "training_time": 9.0,
            "train_accuracy": 1.0,
            "validation_accuracy": 0.5,
            "test_accuracy": 0.25,
            "trainable_parameters": 300_000.0,
        }

    def test_a_table_is_read_without_loading_tensorflow_unless_it_is_of_its_records(self, tmp_path):
        path = written(tmp_path, HEADER, *ROWS)
        program = (
            "import sys; from alphaxenas.tabular.benchmark_tables import read_table;"
            f"read_table({str(path)!r}, 'code', 'valid');"
            "print(sorted({'tensorflow', 'matplotlib', 'pandas'} & set(sys.modules)))"
        )
        answer = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
        assert answer.stdout.strip() == "[]"


def test_every_code_of_a_full_table_is_looked_up(tmp_path):
    codes = ["".join(code) for code in product("ab", "xyz", "01")]
    found = table(tmp_path, "code,valid", *(f"{code},{place / 100}" for place, code in enumerate(codes)))
    rng = np.random.default_rng(0)
    for _ in range(40):
        code = found.space.sample(rng)
        assert found.lookup(found.space.encode(code)) == codes.index(str(code))
    with pytest.raises(ValueError, match="`tokens`"):
        found.lookup((0, 0, 0))
