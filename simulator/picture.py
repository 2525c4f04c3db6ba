"""placeholder for the picture of one seed, a page of its own: see draw."""
from simulator.simulation import Outcome, Simulation

def draw(simulation: Simulation, outcome: Outcome) -> str:
    return ""
