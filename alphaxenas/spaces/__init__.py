"""What can be built: tokens to architectures and back, legal actions, canonical keys, text forms, drawings.

Nothing here imports TensorFlow; matplotlib is imported when something is drawn.
"""

from alphaxenas.spaces.cell import Block, Cell, CellSpace
from alphaxenas.spaces.chains.chain import Chain, Layer
from alphaxenas.spaces.chains.state_space import StateSpace
from alphaxenas.spaces.convnet import ConvNet, ConvNetSpace
from alphaxenas.spaces.forms.nao_notation import NAO_OPERATIONS
from alphaxenas.spaces.listed.subset import Subset
from alphaxenas.spaces.listed.table import Code, Table
from alphaxenas.spaces.macro import MACRO_OPERATIONS, MacroArchitecture, MacroLayer, MacroSpace
from alphaxenas.spaces.micro import ENAS_OPERATIONS, MICRO_OPERATIONS, MicroArchitecture, MicroSpace
from alphaxenas.spaces.nasbench.cell101 import NASBench101Cell
from alphaxenas.spaces.nasbench.nasbench101 import NASBench101
from alphaxenas.spaces.nasbench.nasbench201 import NASBench201, NASBench201Cell
from alphaxenas.spaces.notation import COMBINATIONS, OPERATIONS
from alphaxenas.spaces.parse_any import parse_architecture
from alphaxenas.spaces.recurrent import RecurrentCell, RecurrentSpace
from alphaxenas.spaces.zoo import ZooCell, zoo_cell, zoo_names
