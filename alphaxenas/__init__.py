"""AlphaXENAS: neural architecture search by tree search that an LSTM guides, over children that share weights.

Read `contracts`, `seeds` and `coach` first, in this order; docs/architecture.md is the map of the packages.
Importing this package imports neither TensorFlow nor NumPy.
"""

__version__ = "0.1.0"
