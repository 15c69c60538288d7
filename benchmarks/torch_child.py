"""The peer of `step_time.py`: the child of `alphaxenas.networks.cell` as a PyTorch module, eager, channels_last."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from alphaxenas.networks.cell import CellNetwork


class TorchChild:
    """One child with its optimiser (SGD with Nesterov momentum, weight decay, gradient clipping) and one batch."""

    def __init__(
        self, network: CellNetwork, images: np.ndarray, labels: np.ndarray, threads: int, precision: str
    ) -> None:
        torch.set_num_threads(threads)
        self.images = torch.from_numpy(images.transpose(0, 3, 1, 2).copy()).to(memory_format=torch.channels_last)
        self.labels = torch.from_numpy(labels.astype(np.int64))
        self.model = _Network(network).to(memory_format=torch.channels_last)
        self.optimizer = torch.optim.SGD(
            self.model.parameters(), lr=0.01, momentum=0.9, nesterov=True, weight_decay=5e-4
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


class _Operation(nn.Module):
    def __init__(self, operation: str, filters: int) -> None:
        super().__init__()
        kind, size = operation.rstrip("0123456789x"), operation.rpartition("x")[2]
        if kind == "conv":
            self.layers = nn.Sequential(
                nn.ReLU(), nn.Conv2d(filters, filters, int(size), padding="same", bias=False), nn.BatchNorm2d(filters)
            )
        elif kind == "sep":
            self.layers = nn.Sequential(
                nn.ReLU(),
                nn.Conv2d(filters, filters, int(size), padding="same", groups=filters, bias=False),
                nn.Conv2d(filters, filters, 1, bias=False),
                nn.BatchNorm2d(filters),
            )
        elif kind == "identity":
            self.layers = nn.Identity()
        else:
            pool = nn.MaxPool2d if kind == "maxpool" else nn.AvgPool2d
            self.layers = pool(int(size), stride=1, padding=int(size) // 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


class _Projection(nn.Module):
    def __init__(self, channels: int, filters: int, stride: int) -> None:
        super().__init__()
        self.stride, self.conv, self.norm = stride, nn.Conv2d(channels, filters, 1, bias=False), nn.BatchNorm2d(filters)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.avg_pool2d(x, self.stride) if self.stride > 1 else x
        return self.norm(self.conv(functional.relu(x)))


class _Cell(nn.Module):
    def __init__(self, cell, channels: tuple[int, int], strides: tuple[int, int], filters: int) -> None:
        super().__init__()
        self.cell = cell
        read = {source for block in cell.blocks for source in (block.input1, block.input2)}
        self.inputs = nn.ModuleList(
            _Projection(channels[i], filters, strides[i]) if i in read else nn.Identity() for i in (0, 1)
        )
        self.sides = nn.ModuleList(
            _Operation(name, filters) for block in cell.blocks for name in (block.operation1, block.operation2)
        )
        self.joins = nn.ModuleList(
            _Projection(2 * filters, filters, 1) if block.combination == "concat" else nn.Identity()
            for block in cell.blocks
        )

    def forward(self, previous: torch.Tensor, before: torch.Tensor) -> torch.Tensor:
        states = [self.inputs[0](previous), self.inputs[1](before)]
        for number, block in enumerate(self.cell.blocks):
            one, two = self.sides[2 * number](states[block.input1]), self.sides[2 * number + 1](states[block.input2])
            states.append(one + two if block.combination == "add" else self.joins[number](torch.cat([one, two], 1)))
        return torch.cat([states[2 + end] for end in self.cell.loose_ends()], 1)


class _Network(nn.Module):
    def __init__(self, network: CellNetwork) -> None:
        super().__init__()
        filters, ends = network.filters, len(network.cell.loose_ends())
        self.stem = nn.Sequential(nn.Conv2d(3, filters, 3, padding=1, bias=False), nn.BatchNorm2d(filters))
        self.cells = nn.ModuleList()
        (previous, previous_halved), (before, before_halved) = (filters, 0), (filters, 0)
        halved = 0
        for index in range(network.cells):
            if index in network.reduction_cells():
                filters, halved = 2 * filters, halved + 1
            strides = (2 ** (halved - previous_halved), 2 ** (halved - before_halved))
            self.cells.append(_Cell(network.cell, (previous, before), strides, filters))
            (before, before_halved), (previous, previous_halved) = (previous, previous_halved), (ends * filters, halved)
        self.head = _Projection(previous, 2 * filters, 1)
        self.classifier = nn.Linear(2 * filters, network.num_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        previous = before = self.stem(x)
        for cell in self.cells:
            previous, before = cell(previous, before), previous
        return self.classifier(functional.relu(self.head(previous)).mean((2, 3)))
