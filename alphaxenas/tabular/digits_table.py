"""A small real table that needs no download: 729 networks, every one trained, on scikit-learn's handwritten digits.

The space is that of NAS-Bench-201 with dense layers in place of convolutions: four nodes, an operation on each of the
six edges, `n` (none), `s` (skip) or `d` (a dense layer with ReLU); a node is the sum of what its edges bring. The
pixels reach the first node through a dense layer, two class scores are read from the last. The question is whether the
digit is at least 5: ten classes are almost linear in the pixels, so that no architecture would matter. Codes name the
edges in the order 0->1, 0->2, 1->2, 0->3, 1->3, 2->3.

Every network has its own weights and is trained alone; networks are only computed side by side, because thousands of
tiny matrix products are faster stacked. Each is trained `TRAININGS` times, all networks from the same seed each time,
as in NAS-Bench-201, and the table holds the means. The search signal is the probability that a network gives to the
right answer, on average over the validation images, which tells networks of equal accuracy apart. The networks are
tiny and the images few: the table serves to try out a search and supports no statement about networks.
"""

from __future__ import annotations

import csv
import io
import itertools
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from alphaxenas.controllers.optimizer import Adam
from alphaxenas.data.download import locked
from alphaxenas.data.published import read_digits
from alphaxenas.data.split import take_out
from alphaxenas.runs.files import write_atomically
from alphaxenas.seeds import stream
from alphaxenas.workers.processes import JobError, run_jobs

OPERATIONS = "nsd"
EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
WIDTH = 8
TRAIN_IMAGES, VALIDATION_IMAGES = 500, 650
EPOCHS, BATCH, LEARNING_RATE = 15, 25, 0.01
TRAININGS = 2
COLUMNS = ("code", "validation_probability", "validation_accuracy", "test_accuracy", "seconds", "parameters")
FILE = "digits_cells.csv"
_CLASSES = 2


def digits_table(folder: Path | str, processes: int = 1) -> Path:
    """The table as a CSV file with the columns `COLUMNS`; trained when it is not there yet, in some ten seconds.

    `seconds` is the measured time of each stack of networks, shared out by their multiply-adds.

    Args:
        folder: Where the file lies or is to be written.
        processes: How many train at the same time.

    Returns:
        Path of the file.

    Raises:
        RuntimeError: A process ended before its networks were trained.
        StorageError: The file could not be written.
    """
    path = Path(folder) / FILE
    if path.is_file():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    # A study refuses a table that was made again: the measured seconds would be others.
    with locked(path.parent):
        if not path.is_file():
            write_atomically(path, _trained_table(processes).encode())
    return path


def _trained_table(processes: int) -> str:
    """The content of the table."""
    rows = []
    for start, answer in run_jobs(
        train_stack, ["".join(start) for start in itertools.product(OPERATIONS, repeat=2)], processes
    ):
        if isinstance(answer, JobError):
            raise RuntimeError(f"The networks {start}.... could not be trained: {answer.reason}. Run it again.")
        rows += answer
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(
        [code, *(f"{value:.6g}" for value in values), parameters] for code, *values, parameters in sorted(rows)
    )
    return text.getvalue()


def train_stack(start: str) -> list[tuple[str, float, float, float, float, int]]:
    """Trains all networks whose code begins with `start`; one tuple as in `COLUMNS` for each."""
    codes = [start + "".join(rest) for rest in itertools.product(OPERATIONS, repeat=len(EDGES) - len(start))]
    (train, validation, test), begun = _split(), time.perf_counter()
    means = np.zeros((3, len(codes)))
    for training in range(TRAININGS):
        stack = _Stack(codes, training)
        stack.fit(*train, training)
        (sure, right), (_, tested) = (stack.rate(*part) for part in (validation, test))
        means += np.stack([sure, right, tested]) / TRAININGS
    sizes = np.array([_parameters(code) for code in codes])
    seconds = (time.perf_counter() - begun) / TRAININGS * sizes / sizes.sum()
    return list(zip(codes, *means.tolist(), seconds.tolist(), sizes.tolist()))


class _Stack:
    """Networks of one shape side by side; the first axis of every array is the network."""

    def __init__(self, codes: Sequence[str], training: int) -> None:
        shapes = [(64, WIDTH), *[(WIDTH, WIDTH)] * len(EDGES), (WIDTH, _CLASSES)]
        rng = stream(training, "digits_table", "weights")
        drawn = [rng.normal(0, np.sqrt(2 / shape[0]), shape).astype(np.float32) for shape in shapes]
        self.weights = [np.repeat(weights[None], len(codes), axis=0) for weights in drawn]
        self.biases = [np.zeros((len(codes), 1, shape[1]), np.float32) for shape in shapes]
        self.skips, self.denses = (
            [np.flatnonzero([code[edge] == kind for code in codes]) for edge in range(len(EDGES))] for kind in "sd"
        )

    def fit(self, images: np.ndarray, labels: np.ndarray, training: int) -> None:
        """Adam with a cosine down to 0, on the cross-entropy of each network."""
        arrays = self.weights + self.biases
        optimizer = Adam(arrays, as_keras=True)
        rng, steps = stream(training, "digits_table", "batches"), EPOCHS * (len(labels) // BATCH)
        order = np.concatenate(
            [rng.permutation(len(labels))[: len(labels) // BATCH * BATCH] for _ in range(EPOCHS)]
        ).reshape(steps, BATCH)
        for step, batch in enumerate(order, 1):
            rate = LEARNING_RATE * (1 + np.cos(np.pi * step / steps)) / 2
            optimizer.step(arrays, self._gradients(images[batch], labels[batch]), float(rate))

    def rate(self, images: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean probability of the right class, and share of images where it is the likeliest, each `[networks]`."""
        probabilities = self._probabilities(self._forward(images))
        return probabilities[:, np.arange(len(labels)), labels].mean(axis=1), (
            probabilities.argmax(axis=2) == labels
        ).mean(axis=1)

    def _forward(self, images: np.ndarray) -> list[np.ndarray]:
        """Values of the four nodes, each `[networks, images, WIDTH]`."""
        nodes = [np.maximum(images @ self.weights[0] + self.biases[0], 0)]
        for target in range(1, 4):
            nodes.append(np.zeros_like(nodes[0]))
            for edge, (source, end) in enumerate(EDGES):
                if end == target:
                    nodes[target][self.skips[edge]] += nodes[source][self.skips[edge]]
                    nodes[target][self.denses[edge]] += self._dense(edge, nodes[source])
        return nodes

    def _probabilities(self, nodes: list[np.ndarray]) -> np.ndarray:
        """Softmax of what is read from the last node, `[networks, images, _CLASSES]`."""
        scores = nodes[-1] @ self.weights[-1] + self.biases[-1]
        likely = np.exp(scores - scores.max(axis=2, keepdims=True))
        return likely / likely.sum(axis=2, keepdims=True)

    def _dense(self, edge: int, source: np.ndarray) -> np.ndarray:
        chosen = self.denses[edge]
        return np.maximum(source[chosen] @ self.weights[1 + edge][chosen] + self.biases[1 + edge][chosen], 0)

    def _gradients(self, images: np.ndarray, labels: np.ndarray) -> list[np.ndarray]:
        """Gradients of weights, then of biases."""
        nodes = self._forward(images)
        wrong = self._probabilities(nodes)
        wrong[:, np.arange(len(labels)), labels] -= 1
        wrong /= len(labels)
        weights, biases = (
            [np.zeros_like(array) for array in self.weights],
            [np.zeros_like(array) for array in self.biases],
        )
        weights[-1], biases[-1] = nodes[-1].transpose(0, 2, 1) @ wrong, wrong.sum(axis=1, keepdims=True)
        back = [np.zeros_like(nodes[0]) for _ in range(3)] + [wrong @ self.weights[-1].transpose(0, 2, 1)]
        # Edges are ordered by their target, so backwards every node is complete before it is passed on.
        for edge in reversed(range(len(EDGES))):
            (source, target), skips, chosen = EDGES[edge], self.skips[edge], self.denses[edge]
            back[source][skips] += back[target][skips]
            passed = back[target][chosen] * (self._dense(edge, nodes[source]) > 0)
            weights[1 + edge][chosen] = nodes[source][chosen].transpose(0, 2, 1) @ passed
            biases[1 + edge][chosen] = passed.sum(axis=1, keepdims=True)
            back[source][chosen] += passed @ self.weights[1 + edge][chosen].transpose(0, 2, 1)
        passed = back[0] * (nodes[0] > 0)
        weights[0], biases[0] = images.T @ passed, passed.sum(axis=1, keepdims=True)
        return weights + biases


def _split() -> list[tuple[np.ndarray, np.ndarray]]:
    """Images `[n, 64]` in [0, 1] and labels for training, validation and test, stratified."""
    examples = read_digits()
    images = np.asarray(examples.images).reshape(len(examples.labels), 64).astype(np.float32)
    labels = (examples.labels >= 5).astype(np.int64)
    images /= images.max()
    rng = stream(0, "digits_table", "split")
    train, rest = take_out(labels, np.arange(len(labels)), TRAIN_IMAGES, rng)
    validation, test = take_out(labels, rest, VALIDATION_IMAGES, rng)
    return [(images[part], labels[part]) for part in (train, validation, test)]


def _parameters(code: str) -> int:
    """Weights of a network, and, but for the biases, its multiply-adds per image."""
    return 64 * WIDTH + WIDTH + code.count("d") * (WIDTH * WIDTH + WIDTH) + (WIDTH + 1) * _CLASSES
