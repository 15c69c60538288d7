"""AlphaXENAS: neural architecture search by tree search that an LSTM guides, over children that share weights.

Read `contracts`, `seeds` and `coach` first, in this order; docs/architecture.md is the map of the packages.
Importing this package imports neither TensorFlow nor NumPy. It chooses Keras' backend for this process and its
children, because a user's environment or configuration file may name another.
"""

import os

__version__ = "0.1.0"
os.environ["KERAS_BACKEND"] = "tensorflow"
