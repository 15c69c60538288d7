"""TensorBoard event files without TensorFlow: one file per run, appended to when the run is continued.

Record format: length, masked CRC of the length, data, masked CRC of the data (TensorFlow's `record_writer.h`).
"""

from __future__ import annotations

import io
import os
import socket
import struct
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

from alphaxenas.runs.files import storage_error, write_all
from alphaxenas.suggestions import invalid

EVERY_POINT = 1000
"""Up to this step a curve has every point; TensorBoard shows no more than so many."""


class Events:
    """Writes scalars, texts, pictures and hyper-parameters that TensorBoard shows.

    Args:
        folder: The run's folder below TensorBoard's log folder. An event file that is there is continued, whatever a
            kill left of its last record is cut off.
        start_step: The step at which the run goes on; TensorBoard then forgets what was written at this step and
            later ones, because it is about to be written again.
    """

    def __init__(self, folder: Path | str, start_step: int = 0) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        stored = sorted(self.folder.glob("events.out.tfevents.*"))
        self.path = (
            stored[-1]
            if stored
            else self.folder / f"events.out.tfevents.{int(time.time()):010d}.{socket.gethostname()}"
        )
        self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        self._size = _complete_size(self._descriptor)
        os.ftruncate(self._descriptor, self._size)
        event_pb2 = _protos()[0]
        if self._size == 0:
            self._write(event_pb2.Event(wall_time=time.time(), file_version="brain.Event:2"))
        else:
            start = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
            self._write(event_pb2.Event(wall_time=time.time(), step=start_step, session_log=start))

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Adds one point to each of some curves.

        Args:
            step: Its place on the horizontal axis, >= 0.
            values: The point's value by the curve's tag.

        Raises:
            StorageError: It could not be written.
        """
        values_of = _protos()[1].Summary.Value
        points = [values_of(tag=tag, simple_value=float(value)) for tag, value in values.items()]
        self._summary(step, _protos()[1].Summary(value=points))

    def text(self, step: int, tag: str, text: str) -> None:
        """Adds a text.

        Args:
            step: To which it belongs, >= 0.
            tag: Name under which TensorBoard shows it.
            text: Markdown.

        Raises:
            StorageError: It could not be written.
        """
        from tensorboard.plugins.text.summary_v2 import text_pb

        # A vector of one text: TensorBoard shows a scalar text the same way, but only vectors survive its old readers.
        self._summary(step, text_pb(tag, np.array([text])))

    def picture(self, step: int, tag: str, picture: bytes | np.ndarray) -> None:
        """Adds a picture.

        Args:
            step: To which it belongs, >= 0.
            tag: Name under which TensorBoard shows it.
            picture: The bytes of a PNG file, or uint8 `[height, width, 3]`.

        Raises:
            ValueError: The bytes are no PNG file.
            StorageError: It could not be written.
        """
        if isinstance(picture, np.ndarray):
            from matplotlib.image import imsave

            buffer = io.BytesIO()
            imsave(buffer, picture, format="png")
            picture = buffer.getvalue()
        if picture[:8] != b"\x89PNG\r\n\x1a\n":
            raise invalid("picture", "the bytes of a PNG file", "something else")
        width, height = struct.unpack(">II", picture[16:24])
        summary = _protos()[1].Summary
        image = summary.Image(height=height, width=width, colorspace=3, encoded_image_string=picture)
        self._summary(step, summary(value=[summary.Value(tag=tag, image=image)]))

    def hparams(self, values: Mapping[str, Any], metrics: tuple[str, ...] = ()) -> None:
        """Adds the run to the HParams page, as a trial named by its folder and the one above: TensorBoard averages
        trials of one name.

        Args:
            values: Parameters; lists are shown as texts.
            metrics: Tags of `scalars` that the page shows next to them.

        Raises:
            StorageError: It could not be written.
        """
        from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2
        from tensorboard.plugins.hparams.summary_v2 import hparams_pb

        shown = {name: value if isinstance(value, (bool, int, float)) else str(value) for name, value in values.items()}
        kinds = {bool: api_pb2.DATA_TYPE_BOOL, str: api_pb2.DATA_TYPE_STRING}
        infos = [
            api_pb2.HParamInfo(name=name, type=kinds.get(type(value), api_pb2.DATA_TYPE_FLOAT64))
            for name, value in shown.items()
        ]
        columns = [api_pb2.MetricInfo(name=api_pb2.MetricName(tag=tag)) for tag in metrics]
        experiment = api_pb2.Experiment(hparam_infos=infos, metric_infos=columns)
        about = metadata.create_summary_metadata(plugin_data_pb2.HParamsPluginData(experiment=experiment))
        summary = _protos()[1].Summary
        self._summary(0, summary(value=[summary.Value(tag=metadata.EXPERIMENT_TAG, metadata=about)]))
        self._summary(0, hparams_pb(shown, trial_id="/".join(self.folder.absolute().parts[-2:])))

    def close(self) -> None:
        """Closes the file; nothing is buffered."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _summary(self, step: int, summary: Any) -> None:
        event_pb2, summary_pb2 = _protos()
        # TensorBoard's plugins may build their messages with TensorFlow's copy of these classes.
        plain = summary_pb2.Summary.FromString(summary.SerializeToString())
        self._write(event_pb2.Event(wall_time=time.time(), step=step, summary=plain))

    def _write(self, event: Any) -> None:
        from tensorboard.summary.writer.record_writer import RecordWriter

        buffer = io.BytesIO()
        RecordWriter(buffer).write(event.SerializeToString())
        try:
            try:
                write_all(self._descriptor, buffer.getvalue())
            except OSError:
                os.ftruncate(self._descriptor, self._size)
                raise
        except OSError as error:
            raise storage_error(error, self.path, "The records written before are complete.") from error
        self._size += len(buffer.getvalue())


def is_drawn(step: int) -> bool:
    """Whether a long curve has a point at this step: from 1,000 on it has about 700 in every doubling of the steps.

    Fifty thousand trials so have about 5,000 points. The steps are scattered, so that no period of a search hides
    behind them, and follow from the step alone, so that a continued curve is that of an uninterrupted run.
    """
    return step <= EVERY_POINT or crc32(step.to_bytes(8, "big")) * step < EVERY_POINT << 32


def _protos() -> tuple[Any, Any]:
    """TensorBoard's message modules, imported when the first event is written: they take a third of a second."""
    from tensorboard.compat.proto import event_pb2, summary_pb2

    return event_pb2, summary_pb2


def _complete_size(descriptor: int) -> int:
    """Where the last complete record of an event file ends."""
    from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c

    total, position = os.fstat(descriptor).st_size, 0
    while position + 16 <= total:
        header = os.pread(descriptor, 12, position)
        (length,), (checksum,) = struct.unpack("<Q", header[:8]), struct.unpack("<I", header[8:])
        if masked_crc32c(header[:8]) != checksum or position + 16 + length > total:
            break
        position += 16 + length
    return position
