"""The peer of `zoo_step.py`: the network of `alphaxenas.networks.micro` as a PyTorch module, eager, channels_last."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from alphaxenas.networks.micro import STEM_FACTOR, MicroNetwork


class TorchZooChild:
    """One network with its optimiser (SGD with Nesterov momentum, weight decay, gradient clipping) and one batch.

    Attributes:
        parameters: Number of trainable values.
    """

    def __init__(
        self, network: MicroNetwork, images: np.ndarray, labels: np.ndarray, threads: int, precision: str
    ) -> None:
        torch.set_num_threads(threads)
        self.images = torch.from_numpy(images.transpose(0, 3, 1, 2).copy()).to(memory_format=torch.channels_last)
        self.labels = torch.from_numpy(labels.astype(np.int64))
        self.model = _Network(network).to(memory_format=torch.channels_last)
        self.parameters = sum(parameter.numel() for parameter in self.model.parameters())
        self.optimizer = torch.optim.SGD(
            self.model.parameters(), lr=0.01, momentum=0.9, nesterov=True, weight_decay=3e-4
        )
        self.autocast = torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16")

    def step(self) -> float:
        """One training step; its loss."""
        self.optimizer.zero_grad(set_to_none=True)
        with self.autocast:
            loss = functional.cross_entropy(self.model(self.images), self.labels)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 5.0)
        self.optimizer.step()
        return loss.item()


class _Halving(nn.Module):
    """ReLU, two 1x1 convolutions of stride 2 one pixel apart, batch norm."""

    def __init__(self, channels: int, filters: int) -> None:
        super().__init__()
        self.even = nn.Conv2d(channels, filters // 2, 1, stride=2, bias=False)
        self.odd = nn.Conv2d(channels, filters - filters // 2, 1, stride=2, bias=False)
        self.norm = nn.BatchNorm2d(filters)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.relu(x)
        return self.norm(torch.cat([self.even(x), self.odd(x[:, :, 1:, 1:])], 1))


def _projection(channels: int, filters: int) -> nn.Module:
    return nn.Sequential(nn.ReLU(), nn.Conv2d(channels, filters, 1, bias=False), nn.BatchNorm2d(filters))


def _separable(filters: int, size: int, stride: int, dilation: int = 1) -> list[nn.Module]:
    padding = dilation * (size - 1) // 2
    return [
        nn.ReLU(),
        nn.Conv2d(filters, filters, size, stride, padding, dilation, groups=filters, bias=False),
        nn.Conv2d(filters, filters, 1, bias=False),
        nn.BatchNorm2d(filters),
    ]


def _operation(name: str, filters: int, stride: int, repeats: int) -> nn.Module:
    if name == "identity":
        return nn.Identity() if stride == 1 else _Halving(filters, filters)
    kind, size = name.rstrip("0123456789x"), int(name.rpartition("x")[2])
    if kind == "sep":
        return nn.Sequential(
            *(layer for repeat in range(repeats) for layer in _separable(filters, size, stride if repeat == 0 else 1))
        )
    if kind == "dilsep":
        return nn.Sequential(*_separable(filters, size, stride, 2))
    if kind == "maxpool":
        return nn.MaxPool2d(size, stride, size // 2)
    if kind == "avgpool":
        return nn.AvgPool2d(size, stride, size // 2, count_include_pad=False)
    raise ValueError(
        f"Invalid value for `operation`. Expected sep, dilsep, maxpool, avgpool or identity. Received: {name!r}"
    )


class _Cell(nn.Module):
    def __init__(self, network: MicroNetwork, index: int, channels: tuple[int, int]) -> None:
        super().__init__()
        self.cell, filters = network.cell_of(index), network.filters_of(index)
        self.ends = network.ends_of(self.cell)
        self.inputs = nn.ModuleList(
            (_Halving if network.is_halved(index, source) else _projection)(channels[source], filters)
            for source in (0, 1)
        )
        self.sides = nn.ModuleList(
            _operation(operation, filters, network.stride_of(index, source), network.sep_repeats)
            for row in self.cell.rows
            for source, operation in ((row[0], row[2]), (row[1], row[3]))
        )

    def forward(self, previous: torch.Tensor, before: torch.Tensor) -> torch.Tensor:
        states = [self.inputs[0](previous), self.inputs[1](before)]
        for number, row in enumerate(self.cell.rows):
            states.append(self.sides[2 * number](states[row[0]]) + self.sides[2 * number + 1](states[row[1]]))
        return torch.cat([states[2 + end] for end in self.ends], 1)


class _Network(nn.Module):
    def __init__(self, network: MicroNetwork) -> None:
        super().__init__()
        before = previous = STEM_FACTOR * network.filters
        self.stem = nn.Sequential(
            nn.Conv2d(3, previous, 3, network.stem_stride, 1, bias=False), nn.BatchNorm2d(previous)
        )
        self.cells = nn.ModuleList()
        for index in range(network.cells):
            cell = _Cell(network, index, (previous, before))
            self.cells.append(cell)
            before, previous = previous, len(cell.ends) * network.filters_of(index)
        self.classifier = nn.Linear(previous, network.num_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        previous = before = self.stem(x)
        for cell in self.cells:
            previous, before = cell(previous, before), previous
        return self.classifier(functional.relu(previous).mean((2, 3)))
