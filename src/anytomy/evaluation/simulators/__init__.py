"""Prompt simulators: named, seeded stand-ins for a person, and the only ones who see the label.

`simulator(NAME)` is one of them, `simulators()` the usual ones; `simulator.py` has the contract.
"""

from anytomy.evaluation.simulators.registry import simulator, simulators
from anytomy.evaluation.simulators.simulator import Simulator, Truth, seeded

__all__ = ["Simulator", "Truth", "seeded", "simulator", "simulators"]
