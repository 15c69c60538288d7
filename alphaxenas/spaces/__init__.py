"""What can be built: tokens to architectures and back, legal actions, canonical keys, text forms, drawings.

Nothing here imports TensorFlow; matplotlib is imported when something is drawn.
"""

from alphaxenas.spaces.cell import Block, Cell, CellSpace
from alphaxenas.spaces.notation import COMBINATIONS, OPERATIONS

__all__ = ["COMBINATIONS", "OPERATIONS", "Block", "Cell", "CellSpace"]
