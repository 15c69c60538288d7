"""The loop under all long runs: what it repeats, what it saves, what it says. Kills and broken disks: tests/faults."""

import logging
import signal
from types import SimpleNamespace

import pytest

from alphaxenas.runs import ResumableLoop, RunFolder, StorageError, resume
from alphaxenas.runs.interruption import Stopped


class Counter:
    """Counts to `end`, with a checkpoint after every second record."""

    def __init__(self, folder, end=7, fail_at=None, step=1, tick=lambda: None):
        self.value, self.end, self.fail_at, self.step, self.tick = 0, end, fail_at, step, tick
        self.loop = ResumableLoop(folder, lambda: {"value": self.value}, self.restore, "count")

    def restore(self, state):
        self.value = state["value"]

    def work(self):
        while len(self.loop.records) < self.end:
            if len(self.loop.records) == self.fail_at:
                raise RuntimeError("out of fingers")
            self.value += self.step
            self.tick()
            self.loop.append({"value": self.value, "seconds": self.loop.elapsed()})
            if len(self.loop.records) % 2 == 0:
                self.loop.checkpoint()
        return {"headline": f"counted to {self.value}"}


@pytest.fixture
def opened(tmp_path):
    with RunFolder.open("suite", "counting", {}, tmp_path / "exp", tmp_path / "events") as folder:
        yield folder


def values(folder):
    return [record["value"] for record in folder.journal.read()]


def test_a_continued_run_repeats_what_lies_beyond_the_checkpoint_and_appends_the_rest(opened):
    with pytest.raises(RuntimeError):
        _run(Counter(opened, fail_at=5))
    assert values(opened) == [1, 2, 3, 4, 5]
    lines = opened.journal.path.read_bytes().splitlines()
    again = Counter(opened)
    assert _run(again) == {"headline": "counted to 7"}
    assert values(opened) == [1, 2, 3, 4, 5, 6, 7]
    assert opened.journal.path.read_bytes().splitlines()[:5] == lines, "a repeated record is not written again"
    log = (opened.path.parent / "log.txt").read_text()
    assert "count 5 ended in RuntimeError: out of fingers" in log
    assert "continued after 4 counts; 1 recorded later are repeated" in log and "finished: counted to 7" in log


def test_what_repeated_records_took_is_counted_although_repeating_them_takes_no_time(opened, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(resume, "time", SimpleNamespace(monotonic=lambda: clock[0], process_time=lambda: 0.0))
    with pytest.raises(RuntimeError):
        _run(Counter(opened, fail_at=5, tick=lambda: clock.__setitem__(0, clock[0] + 10)))
    again = Counter(opened)
    _run(again)
    assert [record["elapsed"] for record in opened.journal] == [10, 20, 30, 40, 50, 50, 50]
    assert again.loop.elapsed() == 50


def test_a_record_that_comes_out_differently_replaces_all_that_follow(opened, caplog):
    with pytest.raises(RuntimeError):
        _run(Counter(opened, fail_at=5))
    with caplog.at_level(logging.WARNING):
        _run(Counter(opened, step=10))
    assert values(opened) == [1, 2, 3, 4, 14, 24, 34]
    assert "count 4 came out differently when repeated (value 5 before, 14 now)" in caplog.text


@pytest.mark.parametrize("overwrite", [False, True])
def test_what_is_said_of_continuing_is_true_also_after_overwrite(tmp_path, overwrite):
    with RunFolder.open("suite", "counting", {}, tmp_path, tmp_path / "events", overwrite) as folder:
        tick = iter((lambda: None, lambda: signal.raise_signal(signal.SIGTERM))).__next__
        counter = Counter(folder, tick=lambda: tick()())
        leave = counter.loop.checkpoint
        counter.loop.checkpoint = lambda: (leave(), counter.loop.leave_if_requested())
        with pytest.raises(Stopped) as stopped:
            _run(counter)
    way_on = "he same command without `overwrite` continues" if overwrite else "he same command continues"
    assert f"{way_on} the run." in str(stopped.value) and way_on in (tmp_path / "suite" / "log.txt").read_text()


def test_a_finished_run_does_no_work(opened):
    results = _run(Counter(opened))
    idle = Counter(opened)
    assert _run(idle) == results and idle.value == 0


def test_the_same_object_can_start_again_after_an_error_before_the_first_checkpoint(opened):
    counter = Counter(opened, fail_at=1)
    with pytest.raises(RuntimeError):
        _run(counter)
    counter.fail_at = None
    _run(counter)
    assert values(opened) == [1, 2, 3, 4, 5, 6, 7]


def test_a_checkpoint_of_other_code_is_an_error_that_says_so_and_nothing_is_thrown_away(opened):
    with pytest.raises(RuntimeError):
        _run(Counter(opened, fail_at=5))
    renamed = Counter(opened)
    renamed.loop._restore = lambda state: state["number"]
    with pytest.raises(StorageError, match="written by other code: it has no 'number'.*overwrite=True"):
        _run(renamed)
    _run(Counter(opened))
    assert values(opened) == [1, 2, 3, 4, 5, 6, 7]


def _run(counter):
    return counter.loop.run(counter.work)


def run_to(folder, end=7, fail_at=None):
    try:
        return _run(Counter(folder, end=end, fail_at=fail_at))
    except RuntimeError:
        return None


def damaged(data, place):
    return data[:place] + bytes([data[place] ^ 4]) + data[place + 1 :]


@pytest.mark.parametrize("finished", [False, True])
@pytest.mark.parametrize("harm", [lambda data: damaged(data, len(data) // 2), lambda data: data[:60], lambda data: b""])
def test_a_damaged_or_shortened_journal_is_mended_from_the_checkpoint_without_repeating_anything(
    opened, finished, harm, caplog
):
    run_to(opened, fail_at=None if finished else 6)
    path = opened.journal.path
    whole = path.read_bytes()
    opened.journal.close()
    path.write_bytes(harm(whole))
    again = Counter(opened)
    with caplog.at_level(logging.WARNING):
        _run(again)
    assert path.read_bytes().startswith(whole) and values(opened) == [1, 2, 3, 4, 5, 6, 7]
    assert "were damaged or lost: mended" in caplog.text


def test_damage_that_no_checkpoint_can_mend_is_an_error_and_nothing_is_thrown_away(opened):
    run_to(opened, end=70, fail_at=60)
    opened.journal.close()
    opened.journal.path.write_bytes(damaged(opened.journal.path.read_bytes(), 100))
    before = opened.journal.path.read_bytes()
    with pytest.raises(StorageError, match="Line 2 of .* is damaged .its checksum differs"):
        _run(Counter(opened, end=70))
    assert opened.journal.path.read_bytes() == before


def test_a_checkpoint_that_takes_long_is_followed_by_fifty_times_as_much_work(opened, monkeypatch):
    clock, loop = [0.0], ResumableLoop(opened, dict, lambda state: None)

    def save(step, state):
        clock[0] += 3

    monkeypatch.setattr(resume, "time", SimpleNamespace(monotonic=lambda: clock[0], process_time=lambda: clock[0]))
    saved = []
    monkeypatch.setattr(opened.checkpoints, "save", lambda step, state: (saved.append(clock[0]), save(step, state)))
    for _ in range(40):
        clock[0] += 10
        loop.save_if_due()
    assert len(saved) == 3 and all(later - (earlier + 3) >= 150 for earlier, later in zip(saved, saved[1:]))
