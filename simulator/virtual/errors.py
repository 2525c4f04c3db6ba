"""Faults of the simulator's own floor.

SimulatorFault
+-- Breach        an invariant does not hold: the product has a bug, and here is how to see it
+-- BadRequest    a person asked for something that is not there
"""


class SimulatorFault(Exception):
    """Something that ends a simulation, or keeps it from beginning."""


class Breach(SimulatorFault):
    """An invariant does not hold. `law` names it, as in `I6`; the text says what happened."""

    def __init__(self, law: str, what: str) -> None:
        super().__init__(f"{law}: {what}")
        self.law = law
        self.what = what


class BadRequest(SimulatorFault):
    """A person asked for a scenario, a seed or a mutant that is not there."""
