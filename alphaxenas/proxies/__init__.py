"""Zero-cost proxies: scores of architectures before any training, from their size or from one batch."""

from alphaxenas.proxies.catalogue import COSTS, PROXIES, check_defined, check_names
from alphaxenas.proxies.ranks import rank_sum, ranks
from alphaxenas.proxies.scores import ProxyScores
from alphaxenas.proxies.space import SpaceWithProxies

__all__ = ["COSTS", "PROXIES", "ProxyScores", "SpaceWithProxies", "check_defined", "check_names", "rank_sum", "ranks"]
