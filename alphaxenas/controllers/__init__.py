"""Players: what to try next. Every controller asks for evaluations, is told their outcomes, and can be stopped and
restored.

TensorFlow is loaded when an `AlphaXENAS` is made, not by importing this package.
"""

from alphaxenas.controllers.catalogue import CONTROLLERS, make_controller
from alphaxenas.controllers.promotion import Strategy, SuccessiveHalving
