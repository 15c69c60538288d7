"""A folder of pictures and Parquet files as data: what is found, how pictures are read, what is refused by name."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from alphaxenas.data import DataError, describe, load_data
from alphaxenas.data.own import pictures as pictures_module
from alphaxenas.data.own.pictures import decode, look_at

RED, BLUE = (200, 30, 30), (20, 20, 220)


def save(path, content, **how):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(content)).save(path, **how)


def plain(colour, height=6, width=6):
    return np.tile(np.uint8(colour), (height, width, 1))


def folder(place, classes=("cat", "dog"), count=10, part=""):
    for number, name in enumerate(classes):
        for image in range(count):
            colour = (20 * image, 80 * number, 255 - image)
            save(place / part / name / f"{image}.png", plain(colour))
    return place


def load(place, **more):
    return load_data("image_folder", place / "data", images_path=place / "mine", **more)


def test_folders_are_classes_and_what_is_hidden_or_no_picture_is_left_out(tmp_path, caplog):
    mine = folder(tmp_path / "mine")
    for file in (".DS_Store", ".thumbs/a.png", "__MACOSX/b.png", "cat/.hidden.png", "cat/Thumbs.db", "cat/notes.txt"):
        (mine / file).parent.mkdir(exist_ok=True)
        (mine / file).write_bytes(b"no picture")
    save(mine / "cat" / "deeper" / "PHOTO.JPG", plain(RED))
    data = load(tmp_path)
    assert data.class_names == ("cat", "dog") and data.image_shape == (6, 6, 3) and not data.flip
    assert describe(data).loc["all"].sum() == 21
    assert "1 files that are no PNG or JPEG are left out, such as" in caplog.text and "notes.txt" in caplog.text


def test_names_that_are_numbers_are_ordered_by_them(tmp_path):
    folder(tmp_path / "mine", ("10", "9", "2"))
    assert load(tmp_path).class_names == ("2", "9", "10")


def test_train_and_test_folders_are_the_parts(tmp_path):
    mine = folder(folder(tmp_path / "mine", part="train"), count=4, part="test")
    save(mine / "test" / "dog" / "extra.png", plain((1, 2, 3)))
    data = load(tmp_path)
    assert (len(data.train), len(data.validation), len(data.test)) == (16, 4, 9)
    assert list(np.bincount(data.test.labels)) == [4, 5]
    folder(mine, count=3, part="val")
    data = load(tmp_path)
    assert (len(data.train), len(data.validation), len(data.test)) == (20, 6, 9)
    with pytest.raises(ValueError, match="`test_size`. Expected 0, because image_folder comes with its own test part"):
        load(tmp_path, test_size=5)


def test_a_validation_folder_without_a_test_folder_is_tested_on(tmp_path):
    folder(folder(tmp_path / "mine", part="train"), count=4, part="validation")
    assert [len(part) for part in (load(tmp_path).train, load(tmp_path).test)] == [16, 8]


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda mine: None, r"Invalid value for `images_path`. Expected a folder with one folder.*mine$"),
        (lambda mine: save(mine / "a.png", plain(RED)), "has 0 folders"),
        (lambda mine: folder(mine, ("cat",)), "has 1 folders"),
        (lambda mine: (folder(mine) / "bird").mkdir(), "without PNG or JPEG images: bird"),
        (lambda mine: folder(folder(mine, part="train"), ("cat", "cow"), part="test"), "has not: cow"),
        (lambda mine: folder(folder(mine, part="train"), ("cat", "dog")), "Received: cat, dog, train"),
        (lambda mine: folder(mine, ("cat", "dog ")), r"mine has a folder whose name begins or .* a blank, 'dog '. Ren"),
        (lambda mine: folder(mine, ("cat", " dog", "dog")), "name begins or ends with a blank, ' dog'. Rename it"),
        (lambda mine: (folder(mine) / "cat" / "gone.png").symlink_to("nowhere"), "gone.png is a link"),
    ],
)
def test_folders_of_another_form_are_refused(tmp_path, make, reason):
    make(tmp_path / "mine")
    with pytest.raises(DataError, match=reason):
        load(tmp_path)


def test_all_pictures_that_cannot_be_read_are_named_at_once(tmp_path):
    mine = folder(tmp_path / "mine")
    (mine / "cat" / "empty.png").touch()
    (mine / "dog" / "text.jpg").write_text("no picture")
    (mine / "dog" / "vector.png").write_text("<svg/>")
    rng = np.random.default_rng(0)
    save(mine / "dog" / "cut.png", rng.integers(0, 256, (6, 6, 3), np.uint8))
    whole = (mine / "dog" / "cut.png").read_bytes()
    (mine / "dog" / "cut.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError) as refused:
        load(tmp_path)
    message = str(refused.value)
    assert message.startswith(f"4 of 24 images in {mine} cannot be read: ")
    for words in (
        "cat/empty.png is empty",
        "dog/text.jpg is no PNG or JPEG",
        "dog/vector.png is no",
        "dog/cut.png is damaged",
    ):
        assert words in message
    assert not list((tmp_path / "data" / "decoded").iterdir()), "nothing unfinished is left"


def test_pictures_of_several_sizes_need_image_size(tmp_path):
    mine = folder(tmp_path / "mine")
    save(mine / "cat" / "wide.png", plain(RED, 4, 9))
    with pytest.raises(ValueError, match=r"`image_size`.*20 of 6 x 6.*1 of 9 x 4 \(such as cat/wide.png\)"):
        load(tmp_path)
    assert load(tmp_path, image_size=5).image_shape == (5, 5, 3)


def test_pictures_are_decoded_once_and_again_when_one_has_changed(tmp_path, monkeypatch):
    mine = folder(tmp_path / "mine")
    first = load(tmp_path)
    monkeypatch.setattr(pictures_module, "decode_all", None)
    again = load(tmp_path, seed=1)
    assert again.identity == first.identity and again.identity["source"] == str(mine)
    monkeypatch.undo()
    save(mine / "cat" / "0.png", plain(BLUE))
    changed = load(tmp_path)
    assert changed.fingerprint != first.fingerprint
    assert len(list((tmp_path / "data" / "decoded").iterdir())) == 1, "the former images are gone"
    assert load(tmp_path, image_size=4).fingerprint != changed.fingerprint


def test_the_fingerprint_is_of_the_content_not_of_the_place(tmp_path):
    folder(tmp_path / "mine")
    first = load(tmp_path)
    (tmp_path / "mine").rename(tmp_path / "moved")
    moved = load_data("image_folder", tmp_path / "data", images_path=tmp_path / "moved")
    assert moved.fingerprint == first.fingerprint


def test_a_data_folder_that_cannot_be_written_is_named(tmp_path):
    folder(tmp_path / "mine")
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="Invalid value for `data_dir`"):
        load_data("image_folder", tmp_path / "file", images_path=tmp_path / "mine")


def encoded(content, kind="PNG", **how):
    stream = io.BytesIO()
    (content if isinstance(content, Image.Image) else Image.fromarray(content)).save(stream, kind, **how)
    return stream.getvalue()


def test_grey_pictures_have_one_channel_and_sixteen_bits_become_eight():
    deep = np.array([[0, 256], [32_768, 65_535]], np.uint16)
    file = encoded(deep)
    assert look_at(file) == (2, 2, 1)
    assert decode(file, 0, 1)[..., 0].tolist() == [[0, 1], [128, 255]]
    assert look_at(encoded(np.zeros((3, 5), bool))) == (3, 5, 1)


def test_palettes_become_colours():
    picture = Image.fromarray(plain(RED)).quantize(4)
    assert picture.mode == "P" and look_at(encoded(picture)) == (6, 6, 3)
    assert decode(encoded(picture), 0, 3)[0, 0].tolist() == list(RED)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_becomes_white(mode):
    pixels = np.dstack([plain((100, 100, 100)), np.repeat(np.uint8([255] * 3 + [0] * 3), 6).reshape(6, 6)])
    picture = Image.fromarray(pixels, "RGBA")
    picture = picture.quantize(4) if mode == "P" else picture.convert(mode)
    shown = decode(encoded(picture), 0, 3)
    assert np.abs(shown[0, 0].astype(int) - 100).max() < 3 and shown[5, 0].tolist() == [255] * 3


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_pictures_stand_upright(kind, orientation):
    upright = np.zeros((16, 24), np.uint8)
    upright[:8, :8], upright[8:, 16:] = 250, 120
    exif = Image.Exif()
    exif[0x0112] = orientation
    # By the standard: which corner of the stored picture is the first of the upright one, and whether sides change.
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: np.rot90(upright),
        7: np.rot90(upright, 2).T,
        8: np.rot90(upright, -1),
    }[orientation]
    file = encoded(np.ascontiguousarray(stored), kind, exif=exif, **({"quality": 100} if kind == "JPEG" else {}))
    assert look_at(file) == (16, 24, 1)
    assert np.abs(decode(file, 0, 1)[..., 0].astype(int) - upright).max() < 10


def test_jpegs_of_printers_and_large_photographs_are_read():
    printed = encoded(Image.fromarray(plain(RED, 16, 16)).convert("CMYK"), "JPEG", quality=95)
    assert np.abs(decode(printed, 0, 3)[8, 8].astype(int) - RED).max() < 12
    wide = np.zeros((400, 900, 3), np.uint8)
    wide[:, 300:600] = RED
    small = decode(encoded(wide, "JPEG", quality=95), 20, 3)
    assert small.shape == (20, 20, 3) and np.abs(small[10, 10].astype(int) - RED).max() < 12
    assert small[10, 0].max() < 60, "the middle of the picture is kept: its border stays black"


def parquet(place, name="train-00000-of-00001.parquet", count=12, labels=None, features=None, **columns):
    arrow = pytest.importorskip("pyarrow")

    pixels = [plain((5 * number, 10, 255 - number)) for number in range(count)]
    images = [{"bytes": encoded(image), "path": f"{number}.png"} for number, image in enumerate(pixels)]
    labels = [number % 3 for number in range(count)] if labels is None else labels
    table = arrow.table({"image": images, "label": labels, **columns})
    if features is not None:
        about = {"info": {"features": {"image": {"_type": "Image"}, **features}}}
        table = table.replace_schema_metadata({"huggingface": json.dumps(about)})
    (place / "set").mkdir(exist_ok=True)
    pytest.importorskip("pyarrow.parquet").write_table(table, place / "set" / name, row_group_size=5)
    return place / "set"


def load_parquet(place, path=None, **more):
    return load_data("parquet", place / "data", images_path=path or place / "set", **more)


def test_hugging_face_files_are_read_with_their_parts_and_names(tmp_path):
    names = {"label": {"_type": "ClassLabel", "names": ["tench", "shark", "ray"]}}
    parquet(tmp_path, count=30, features=names)
    parquet(tmp_path, "test-00000-of-00001.parquet", count=9, features=names)
    data = load_parquet(tmp_path)
    assert data.class_names == ("tench", "shark", "ray") and data.image_shape == (6, 6, 3)
    assert (len(data.train), len(data.validation), len(data.test)) == (24, 6, 9)
    first = {tuple(map(int, image[0, 0])): label for image, label in zip(data.test.images, data.test.labels)}
    assert first[5, 10, 254] == 1 and first[10, 10, 253] == 2
    file = load_parquet(tmp_path, tmp_path / "set" / "train-00000-of-00001.parquet")
    assert len(file.train) + len(file.validation) + len(file.test) == 30


def test_texts_and_any_numbers_are_labels(tmp_path):
    parquet(tmp_path, labels=["b", "a"] * 6)
    assert load_parquet(tmp_path).class_names == ("a", "b")
    parquet(tmp_path, labels=[7, 20_000_000] * 6)
    data = load_parquet(tmp_path)
    assert data.labels_in_file == ("7", "20000000")
    assert describe(data)["label in the file"].tolist() == ["7", "20000000", ""]


def test_several_columns_of_labels_need_a_name(tmp_path):
    both = {name: {"_type": "ClassLabel", "names": ["x", "y", "z"]} for name in ("fine", "coarse")}
    parquet(tmp_path, count=30, features=both, fine=[0, 1, 2] * 10, coarse=[0, 1] * 15)
    with pytest.raises(ValueError, match="`label_column`.*one of fine, coarse"):
        load_parquet(tmp_path)
    assert load_parquet(tmp_path, label_column="fine").num_classes == 3
    with pytest.raises(ValueError, match="`label_column`.*Received: 'fin'. Did you mean 'fine'"):
        load_parquet(tmp_path, label_column="fin")


def test_parquet_files_of_another_form_are_refused(tmp_path):
    arrow, files = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    (tmp_path / "set").mkdir()
    with pytest.raises(DataError, match="`images_path`. Expected a .parquet file"):
        load_parquet(tmp_path)
    (tmp_path / "set" / "train.parquet").write_bytes(b"PAR1 nothing PAR1")
    with pytest.raises(DataError, match=r"train\.parquet cannot be read as a Parquet file"):
        load_parquet(tmp_path)
    files.write_table(arrow.table({"label": [1, 2]}), tmp_path / "set" / "train.parquet")
    with pytest.raises(DataError, match=r"expected one column of images.*Received: none among label"):
        load_parquet(tmp_path)
    parquet(tmp_path, "train.parquet", labels=[None, 1] * 6)
    with pytest.raises(DataError, match="6 of 12 rows have no label"):
        load_parquet(tmp_path)
    file = parquet(tmp_path, "train.parquet") / "train.parquet"
    table = files.read_table(file).to_pydict()
    table["image"][4]["bytes"], table["image"][7]["bytes"] = b"no picture", None
    files.write_table(arrow.table(table), file)
    with pytest.raises(DataError, match=r"2 of 12.*train\.parquet, row 4 is no PNG.*train\.parquet, row 7 is empty"):
        load_parquet(tmp_path)


def test_without_pyarrow_it_is_asked_for_by_name(tmp_path, monkeypatch):
    (tmp_path / "set.parquet").touch()
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(ValueError, match="Expected the package pyarrow.*pip install pyarrow"):
        load_parquet(tmp_path, tmp_path / "set.parquet")
