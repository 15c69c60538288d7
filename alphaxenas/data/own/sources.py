"""Which reader a data set has, and which paths and settings belong to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from alphaxenas.data.formats import laid_out, open_array, read_arrays, to_bytes
from alphaxenas.data.labels import number_classes
from alphaxenas.data.own.image_folder import list_pictures
from alphaxenas.data.own.parquet import list_parquet
from alphaxenas.data.own.pictures import examples_of_pictures
from alphaxenas.data.published import PUBLISHED, Examples, read_digits
from alphaxenas.data.stored import IN_MEMORY_BYTES, Images, StoredImages, Writer, in_chunks, kept
from alphaxenas.suggestions import check_whole, invalid


def read_examples(
    dataset: str,
    data_dir: str,
    arrays_path: str = "",
    image_layout: str = "auto",
    labels_path: str = "",
    images_path: str = "",
    image_size: int = 0,
    label_column: str = "",
) -> Examples:
    """Reads a data set as it is, before any split.

    Args:
        dataset: As for `load_data`, and so are the others.
        data_dir: Folder with the publishers' files, or where they are downloaded to.
        arrays_path: The user's `.npz` or `.npy` file.
        image_layout: How its axes are meant.
        labels_path: The `.npy` file of labels.
        images_path: The user's folder of images, or Parquet file.
        image_size: Side that those images are brought to.
        label_column: The column of labels.

    Returns:
        Its images and labels.
    """
    place = Path(data_dir)
    if dataset == "digits":
        return read_digits()
    if dataset == "arrays":
        return read_user_arrays(Path(arrays_path), image_layout, Path(labels_path) if labels_path else None, place)
    if dataset == "image_folder":
        return examples_of_pictures(list_pictures(Path(images_path)), place, image_size)
    if dataset == "parquet":
        return examples_of_pictures(list_parquet(Path(images_path), label_column), place, image_size)
    return PUBLISHED[dataset].read(place)


def check_sources(
    dataset: str, arrays_path: str, labels_path: str, images_path: str, image_size: int, label_column: str
) -> None:
    """Refuses paths and settings that do not belong to the data set, or are missing for it.

    Args:
        dataset: As for `load_data`, and so are the others.
        arrays_path: Of `arrays`.
        labels_path: Of `arrays` where `arrays_path` ends with `.npy`.
        images_path: Of `image_folder` and `parquet`.
        image_size: Of the same.
        label_column: Of `parquet`.

    Raises:
        ValueError: Names the parameter.
    """
    arrays, pictures = dataset == "arrays", dataset in ("image_folder", "parquet")
    pair = arrays and arrays_path.lower().endswith(".npy")
    what = "a folder with one folder of images for each class" if dataset == "image_folder" else "a Parquet file"
    unless = "nothing, unless `dataset` is"
    for name, given, wanted, possible, expected, otherwise in (
        ("arrays_path", arrays_path, arrays, arrays, "the path of an .npz or .npy file", f"{unless} 'arrays'"),
        (
            "labels_path",
            labels_path,
            pair,
            pair,
            "the path of the .npy file with the labels",
            "nothing, unless `arrays_path` ends with .npy",
        ),
        (
            "images_path",
            images_path,
            pictures,
            pictures,
            f"the path of {what}",
            f"{unless} 'image_folder' or 'parquet'",
        ),
        ("image_size", image_size, False, pictures, "", "0, unless `dataset` is 'image_folder' or 'parquet'"),
        ("label_column", label_column, False, dataset == "parquet", "", f"{unless} 'parquet'"),
    ):
        if (wanted and not given) or (given and not possible):
            raise invalid(name, expected if wanted else otherwise, repr(given))
    check_whole("image_size", image_size, 0)


def read_user_arrays(
    path: Path, layout: str = "auto", labels_path: Path | None = None, data_dir: Path = Path("data")
) -> Examples:
    """A user's own images. Mirrored only if the file says `flip=True`: they may show writing.

    Args:
        path: An `.npz` file, see `read_arrays`, or an `.npy` file of images.
        layout: How the axes of the images are meant.
        labels_path: The `.npy` file of the labels that belong to an `.npy` file of images.
        data_dir: Where images of more than `IN_MEMORY_BYTES` are kept as bytes, if they are others.

    Returns:
        The images; those of a large `.npy` file stay on disk.
    """
    if labels_path is None:
        images, labels, flip = read_arrays(path, layout)
        return Examples(images, labels.numbers, labels.class_names, flip, labels_in_file=labels.in_file)
    x, y = open_array(path, "arrays_path"), np.array(open_array(labels_path, "labels_path"))
    seen = laid_out(x, layout, path)
    labels = number_classes(y, len(seen), None, labels_path)
    found: Images
    if seen.size <= IN_MEMORY_BYTES:
        found = to_bytes(seen)
    elif seen is x and x.dtype == np.uint8 and x.flags.c_contiguous:
        found = StoredImages(path)
    else:

        def make(folder: Path) -> dict[str, Any]:
            writer = Writer(folder / "images.npy", seen.shape)
            for chunk in in_chunks(seen):
                writer.write(to_bytes(chunk))
            writer.close()
            np.save(folder / "labels.npy", labels.numbers)
            return {}

        status = path.stat()
        found = kept(data_dir, path, [layout, status.st_size, status.st_mtime_ns], make).images
    return Examples(found, labels.numbers, labels.class_names, False, labels_in_file=labels.in_file)
