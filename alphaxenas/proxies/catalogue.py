"""All proxies by name. Each is imported when it is used, so that the free ones need no TensorFlow.

A new proxy is one function and one line of `PROXIES`; larger scores mean better architectures.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import NamedTuple

from alphaxenas.proxies.network import InitialNetwork, Outlined
from alphaxenas.suggestions import did_you_mean, invalid

COSTS = ("free", "batch")
"""What a score takes: the shapes of the network alone, or forward and backward passes of one batch."""
_CONVOLUTIONS = ("conv", "depthwise")
HOMOGENEOUS = frozenset(
    "input line conv depthwise batch_norm dense dense_of_parts shifted zeros relu add concat first_channels max_pool "
    "min_pool average_pool global_average global_max flatten dropout drop_path".split()
)
"""Operations of the layer interface that commute with positive factors once batch normalisation is left out."""


class Proxy(NamedTuple):
    """A line of the catalogue.

    Attributes:
        place: Module and function; the function takes an `InitialNetwork` and returns a number.
        display: Its name in figures and tables.
        cost: One of `COSTS`.
        needs: An operation of the layer interface that the network must have; empty for none.
        handles: Operations that it is defined for; None for all.
    """

    place: str
    display: str
    cost: str = "batch"
    needs: str = ""
    handles: frozenset[str] | None = None

    def __call__(self, network: InitialNetwork) -> float:
        """The score of a network."""
        module, function = self.place.rsplit(".", 1)
        return getattr(import_module(f"alphaxenas.proxies.{module}"), function)(network)


PROXIES: dict[str, Proxy] = {
    "parameters": Proxy("free.parameters", "parameters", "free"),
    "multiply_adds": Proxy("free.multiply_adds", "multiply-adds", "free"),
    "depth": Proxy("free.depth", "depth", "free"),
    "naswot": Proxy("patterns.naswot", "NASWOT", needs="relu"),
    "jacov": Proxy("patterns.jacov", "jacov"),
    "grad_norm": Proxy("saliency.grad_norm", "gradient norm"),
    "snip": Proxy("saliency.snip", "SNIP"),
    "grasp": Proxy("saliency.grasp", "GraSP"),
    "fisher": Proxy("saliency.fisher", "Fisher"),
    "synflow": Proxy("saliency.synflow", "synflow", handles=HOMOGENEOUS),
    "zen": Proxy("expressivity.zen", "Zen-score", needs="batch_norm"),
    "zico": Proxy("saliency.zico", "ZiCo"),
}


def check_names(names: Iterable[str]) -> None:
    """ValueError for a name that no proxy has, with the nearest that one has."""
    for name in names:
        if name not in PROXIES:
            raise invalid("proxies", f"names among {', '.join(PROXIES)}", f"{name!r}{did_you_mean(name, PROXIES)}")


def check_defined(names: Iterable[str], outline: Outlined, what: str = "this network") -> None:
    """Refuses proxies that cannot score a network.

    Args:
        names: Keys of `PROXIES`.
        outline: Of the network.
        what: How the message calls the network.

    Raises:
        ValueError: Names the proxy and the layer that it cannot score.
    """
    for name in names:
        if fault := undefined(name, outline):
            raise ValueError(f"The proxy {name} is not defined for {what}: {fault}. Remove {name} from `proxies`.")


def undefined(name: str, outline: Outlined) -> str:
    """Why a proxy cannot score a network, with the layer; empty where it can.

    Args:
        name: A key of `PROXIES`.
        outline: Of the network.
    """
    proxy = PROXIES[name]
    for operation, layer in outline.operations:
        if proxy.handles is not None and operation not in proxy.handles:
            return f"it does not know the operation `{operation}` of layer {layer or operation!r}"
    if proxy.needs and proxy.needs not in {operation for operation, _ in outline.operations}:
        first = next((layer for operation, layer in outline.operations if operation in _CONVOLUTIONS), "")
        return f"layer {first!r} and all others have no `{proxy.needs}`"
    return ""
