"""Images: download, verify, split, augment. `alphaxenas.data.pipeline.Batches` is apart because it needs TensorFlow."""

from alphaxenas.data.download import DataError
from alphaxenas.data.images import DATASETS, ImageData, Part, describe, load_data
from alphaxenas.data.preview import channel_names, sheet, to_pixels
