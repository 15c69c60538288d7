"""Event files: what TensorBoard itself reads back, also after kills and restarts."""

import io
import logging
import struct
import subprocess
import sys

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2

from alphaxenas.config import PROJECT_ROOT
from alphaxenas.runs import Events


def read(folder):
    logging.getLogger("tensorboard").setLevel(logging.ERROR)
    return EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0, "tensors": 0}).Reload()


def curve(folder, tag):
    return [(event.step, round(event.value, 6)) for event in read(folder).Scalars(tag)]


def test_curves_texts_pictures_and_hyper_parameters_are_read_by_tensorboard(tmp_path):
    events = Events(tmp_path)
    events.hparams({"seed": 3, "prior": "lstm", "augment": True, "operations": ["a", "b"]}, ("accuracy/best",))
    events.scalars(0, {"accuracy/best": 0.5, "loss": np.float32(2)})
    events.scalars(1, {"accuracy/best": 0.75})
    events.text(1, "best/architecture", "`a + b`")
    events.picture(1, "best/cell", np.full((6, 9, 3), 200, np.uint8))
    events.close()
    assert curve(tmp_path, "accuracy/best") == [(0, 0.5), (1, 0.75)]
    accumulator = read(tmp_path)
    assert accumulator.Tensors("best/architecture")[0].tensor_proto.string_val[0] == b"`a + b`"
    image = accumulator.Images("best/cell")[0]
    assert (image.height, image.width) == (6, 9)
    from matplotlib.image import imread

    assert (imread(io.BytesIO(image.encoded_image_string), format="png")[..., :3] * 255).round().max() == 200
    content = accumulator.PluginTagToContent("hparams")["_hparams_/session_start_info"]
    start = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info
    assert (
        start.hparams["prior"].string_value == "lstm"
        and start.hparams["seed"].number_value == 3
        and start.hparams["augment"].bool_value
    )
    experiment = plugin_data_pb2.HParamsPluginData.FromString(
        accumulator.PluginTagToContent("hparams")["_hparams_/experiment"]
    ).experiment
    assert [info.name.tag for info in experiment.metric_infos] == ["accuracy/best"]


def test_runs_of_one_name_in_two_suites_are_two_trials_of_the_hparams_page(tmp_path):
    groups = []
    for suite in ("first", "second"):
        events = Events(tmp_path / suite / "alphaxenas-seed0")
        events.hparams({"seed": 0})
        events.close()
        content = read(events.folder).PluginTagToContent("hparams")["_hparams_/session_start_info"]
        groups.append(plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info.group_name)
    assert groups == ["first/alphaxenas-seed0", "second/alphaxenas-seed0"]


def test_a_continued_run_goes_on_in_the_same_file_and_replaces_what_it_repeats(tmp_path):
    events = Events(tmp_path)
    for step in range(5):
        events.scalars(step, {"loss": step})
    events.close()
    events = Events(tmp_path, start_step=3)
    for step in (3, 4, 5):
        events.scalars(step, {"loss": 10 + step})
    events.close()
    assert curve(tmp_path, "loss") == [(0, 0), (1, 1), (2, 2), (3, 13), (4, 14), (5, 15)]
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("lost", [1, 5, 17, 25])
def test_a_torn_last_record_is_cut_off_when_the_run_goes_on(tmp_path, lost):
    events = Events(tmp_path)
    for step in range(3):
        events.scalars(step, {"loss": step})
    events.close()
    events.path.write_bytes(events.path.read_bytes()[:-lost])
    events = Events(tmp_path, start_step=2)
    events.scalars(2, {"loss": 20})
    events.close()
    assert curve(tmp_path, "loss") == [(0, 0), (1, 1), (2, 20)]


def test_zeros_after_a_power_cut_are_cut_off(tmp_path):
    events = Events(tmp_path)
    events.scalars(0, {"loss": 0})
    events.close()
    size = events.path.stat().st_size
    events.path.write_bytes(events.path.read_bytes() + bytes(64))
    Events(tmp_path, start_step=1).close()
    data = events.path.read_bytes()
    assert struct.unpack("<Q", data[size : size + 8])[0] > 0
    assert curve(tmp_path, "loss") == [(0, 0)]


def test_a_picture_has_to_be_png(tmp_path):
    with pytest.raises(ValueError, match="PNG"):
        Events(tmp_path).picture(0, "cell", b"GIF89a")


def test_run_folders_and_events_work_without_importing_tensorflow(tmp_path):
    code = (
        "import sys; from alphaxenas.runs import RunFolder\n"
        f"folder = RunFolder.open('a', 'b', {{'seed': 1}}, {str(tmp_path)!r}, {str(tmp_path / 'events')!r})\n"
        "folder.events.hparams({'a': 1}); folder.events.scalars(0, {'b': 1}); folder.events.text(0, 'c', 'd')\n"
        "sys.exit('tensorflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=PROJECT_ROOT, check=False).returncode == 0
