"""Players: what to try next. Every controller asks for evaluations, is told their outcomes, and can be stopped and restored.

TensorFlow is loaded when an `AlphaXENAS` is made, not by importing this package.
"""

from alphaxenas.controllers.alphaxenas import AlphaXENAS
from alphaxenas.controllers.random_search import RandomSearch

__all__ = ["AlphaXENAS", "RandomSearch"]
