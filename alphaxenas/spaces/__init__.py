"""What can be built: tokens to architectures and back, legal actions, canonical keys, text forms, drawings.

Nothing here imports TensorFlow; matplotlib is imported when something is drawn.
"""

from alphaxenas.spaces.cell import Block, Cell, CellSpace
from alphaxenas.spaces.cell101 import NASBench101Cell
from alphaxenas.spaces.micro import ENAS_OPERATIONS, MICRO_OPERATIONS, MicroArchitecture, MicroSpace
from alphaxenas.spaces.nasbench101 import NASBench101
from alphaxenas.spaces.nasbench201 import NASBench201, NASBench201Cell
from alphaxenas.spaces.notation import COMBINATIONS, OPERATIONS
from alphaxenas.spaces.subset import Subset
from alphaxenas.spaces.table import Code, Table

__all__ = [
    "COMBINATIONS",
    "ENAS_OPERATIONS",
    "MICRO_OPERATIONS",
    "OPERATIONS",
    "Block",
    "Cell",
    "CellSpace",
    "Code",
    "MicroArchitecture",
    "MicroSpace",
    "NASBench101",
    "NASBench101Cell",
    "NASBench201",
    "NASBench201Cell",
    "Subset",
    "Table",
]
