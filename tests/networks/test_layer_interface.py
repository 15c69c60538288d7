"""Everything that networks are walked over offers the operations of `LayerInterface`, with the same arguments."""

from __future__ import annotations

import inspect

import pytest

from alphaxenas.networks.export.keras_export import _KerasLayers
from alphaxenas.networks.layer_interface import LayerInterface
from alphaxenas.networks.layers import Layers
from alphaxenas.networks.outline import OPERATIONS, Outline
from alphaxenas.supernet.switched import SwitchedLayers, SwitchedOutline

DECLARED = {
    name: function for name, function in inspect.getmembers(LayerInterface, inspect.isfunction) if name[0] != "_"
}


def parameters(function):
    return {name: (each.kind, each.default) for name, each in inspect.signature(function).parameters.items()}


@pytest.mark.parametrize("kind", [Layers, Outline, _KerasLayers, SwitchedLayers, SwitchedOutline])
def test_an_implementation_has_every_operation_with_the_same_parameters(kind):
    assert len(DECLARED) == 23
    for name, function in DECLARED.items():
        assert parameters(getattr(kind, name)) == parameters(function), name


def test_the_table_of_the_outline_accepts_the_declared_arguments():
    assert set(OPERATIONS) == set(DECLARED)
    for name, function in DECLARED.items():
        arguments = list(inspect.signature(function).parameters)[1:]
        inspect.signature(OPERATIONS[name]).bind(*arguments)
