"""Training steps of our networks in PyTorch (eager, channels last), for `benchmarks.step_time --pytorch`.

Runs in an environment of benchmarks/rivals/requirements.txt, without TensorFlow: both in one process crash. Reads lines
of JSON, each the number of a network and of steps, and answers with PyTorch's version, the network's number of
parameters and the seconds of every step, in two forms: over the same layers as ours, and where 1x1 convolutions read
the concatenation of their inputs, as papers draw cells and PyTorch's users write them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from benchmarks.step_time import LEARNING_RATE, WEIGHT_DECAY, batch, networks_of, seconds_of


class TorchLayers:
    """`alphaxenas.networks.layer_interface.LayerInterface` over PyTorch tensors `[B, c, h, w]`, in training: what
    networks of cells ask for.

    Weights are made when they are first asked for and kept, so that one object serves all steps of a network.

    Attributes:
        weights: Trained tensors by name.
    """

    training = True

    def __init__(self) -> None:
        self.weights: dict[str, torch.Tensor] = {}
        self._statistics: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}

    def input(self, images: torch.Tensor) -> torch.Tensor:
        """As the interface has it, like all methods below."""
        return images

    def conv(
        self,
        x: torch.Tensor,
        name: str,
        filters: int,
        size: int,
        stride: int = 1,
        bias: bool = False,
        initial: str = "he",
    ) -> torch.Tensor:
        kernel = self._weight(f"{name}/kernel", filters, x.shape[1], size, size)
        return functional.conv2d(
            x, kernel, self._weight(f"{name}/bias", filters) if bias else None, stride, (size - 1) // 2
        )

    def depthwise(self, x: torch.Tensor, name: str, size: int, stride: int = 1, dilation: int = 1) -> torch.Tensor:
        kernel = self._weight(f"{name}/depthwise", x.shape[1], 1, size, size)
        return functional.conv2d(x, kernel, None, stride, dilation * (size - 1) // 2, dilation, groups=x.shape[1])

    def batch_norm(self, x: torch.Tensor, name: str, scale: bool = True) -> torch.Tensor:
        channels = x.shape[1]
        mean, variance = self._statistics.setdefault(name, (torch.zeros(channels), torch.ones(channels)))
        trained = self._weight(f"{name}/scale", channels) if scale else None
        return functional.batch_norm(x, mean, variance, trained, self._weight(f"{name}/offset", channels), True)

    def dense(self, x: torch.Tensor, name: str, units: int, divisor: float = 1.0) -> torch.Tensor:
        kernel = self._weight(f"{name}/kernel", units, x.shape[1])
        return functional.linear(x, kernel, self._weight(f"{name}/bias", units)) / divisor

    def dense_of_parts(self, parts: Mapping[str, torch.Tensor], name: str, units: int) -> torch.Tensor:
        return self.dense(torch.cat(list(parts.values()), 1), name, units)

    def shifted(self, x: torch.Tensor) -> torch.Tensor:
        return functional.pad(x[:, :, 1:, 1:], (0, 1, 0, 1))

    def zeros(self, x: torch.Tensor) -> torch.Tensor:
        return torch.zeros_like(x)

    def relu(self, x: torch.Tensor) -> torch.Tensor:
        return functional.relu(x)

    def add(self, parts: Sequence[torch.Tensor]) -> torch.Tensor:
        return sum(parts[1:], parts[0])

    def concat(self, parts: Sequence[torch.Tensor]) -> torch.Tensor:
        return parts[0] if len(parts) == 1 else torch.cat(list(parts), 1)

    def max_pool(self, x: torch.Tensor, size: int, stride: int = 1, whole: bool = False) -> torch.Tensor:
        return functional.max_pool2d(x, size, stride, 0 if whole else size // 2)

    def min_pool(self, x: torch.Tensor, size: int, stride: int = 1) -> torch.Tensor:
        return -self.max_pool(-x, size, stride)

    def average_pool(self, x: torch.Tensor, size: int, stride: int = 1) -> torch.Tensor:
        return functional.avg_pool2d(x, size, stride, (size - 1) // 2, count_include_pad=False)

    def global_average(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean((2, 3))

    def dropout(self, x: torch.Tensor, rate: float) -> torch.Tensor:
        return functional.dropout(x, rate) if rate else x

    def drop_path(self, x: torch.Tensor, rate: float, depth: float) -> torch.Tensor:
        return x  # at the beginning of training, where the clock runs, nothing is dropped here either

    def _weight(self, name: str, *shape: int) -> torch.Tensor:
        if name not in self.weights:
            weight = torch.randn(shape) * 0.05
            weight = weight.to(memory_format=torch.channels_last) if len(shape) == 4 else weight
            self.weights[name] = weight.requires_grad_()
        return self.weights[name]


def concatenating(network: Any) -> Callable:
    """The same function as a network of cells, with the same number of weights, but concatenating.

    Ours adds one 1x1 convolution for each input instead, see `alphaxenas.networks.cell`.

    Args:
        network: One of ours.
    """
    changed = {"project": staticmethod(_projected), "output": staticmethod(_output)}
    kind = type("Concatenating", (type(network),), changed)
    return kind(**vars(network))


def _output(layers: TorchLayers, ends: Mapping[str, torch.Tensor], index: int) -> dict[str, torch.Tensor]:
    """As `CellNetwork.output`."""
    return {"output": layers.concat(list(ends.values()))}


def _projected(layers: TorchLayers, ends: Mapping[str, torch.Tensor], name: str, filters: int) -> torch.Tensor:
    """As `CellStack.project`."""
    return layers.batch_norm(layers.conv(layers.relu(layers.concat(list(ends.values()))), name, filters, 1), name)


def torch_step(network: Callable) -> tuple[Callable[[], None], int]:
    """A training step of a network in PyTorch, and the number of its parameters.

    Args:
        network: One of ours.
    """
    layers, (images, labels) = TorchLayers(), batch()
    x = torch.from_numpy(images.transpose(0, 3, 1, 2).copy()).to(memory_format=torch.channels_last)
    y = torch.from_numpy(labels.astype(np.int64))
    network(layers, x)
    trained = list(layers.weights.values())
    optimizer = torch.optim.SGD(trained, lr=LEARNING_RATE, momentum=0.9, nesterov=True, weight_decay=WEIGHT_DECAY)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        functional.cross_entropy(network(layers, x)[0], y).backward()
        torch.nn.utils.clip_grad_norm_(trained, 5.0)
        optimizer.step()

    return step, sum(weight.numel() for weight in trained)


def main() -> None:
    """Answers until the input ends. Words: children, published cell, seed, threads."""
    children, cell, seed, threads = sys.argv[1:]
    torch.set_num_threads(int(threads))
    networks, built = networks_of(int(children), cell, int(seed)), {}
    for line in sys.stdin:
        number, steps = json.loads(line)
        if number not in built:
            network = networks[number]
            built = {number: [torch_step(form) for form in (network, concatenating(network))]}
            for step, _ in built[number]:
                step()
        seconds = [[seconds_of(step) for _ in range(steps)] for step, _ in built[number]]
        print(json.dumps([torch.__version__, *{size for _, size in built[number]}, *seconds]), flush=True)


if __name__ == "__main__":
    main()
