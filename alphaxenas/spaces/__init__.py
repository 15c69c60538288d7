"""What can be built: tokens to architectures and back, legal actions, canonical keys, text forms, drawings.

Nothing here imports TensorFlow; matplotlib is imported when something is drawn.
"""

from alphaxenas.spaces.cell import Block, Cell, CellSpace
from alphaxenas.spaces.nasbench201 import NASBench201, NASBench201Cell
from alphaxenas.spaces.notation import COMBINATIONS, OPERATIONS
from alphaxenas.spaces.table import Code, Table

__all__ = ["COMBINATIONS", "OPERATIONS", "Block", "Cell", "CellSpace", "Code", "NASBench201", "NASBench201Cell", "Table"]
