"""AlphaXENAS: neural architecture search by Monte Carlo tree search guided by an LSTM, over children that share weights.

The rooms: `spaces` (what can be built), `controllers` (what to try next), `children` (networks), `data`, `evaluators`
(how good is it), `runs` (what survives the process), `report` (figures and tables), and `coach` (the loop).
Importing this package imports neither TensorFlow nor NumPy.
"""

__version__ = "0.1.0"
