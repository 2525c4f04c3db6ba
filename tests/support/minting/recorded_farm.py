"""A real farm's recorded milkings, where they are at hand: two robots, 1,936 milkings in pounds."""

import os
from pathlib import Path

import pytest

SHARED = Path(os.environ.get("BILLCOIN_SHARED_DATA", Path(__file__).parents[4] / "shared" / "data"))
COLUMNS = "yield=Yield:lb,device=Device Name,begin=Begin Time,date=%m/%d/%Y %I:%M %p"
MILKINGS = 1_936
UNITS = 30_796_354_502
"""All of it, at the density of raw milk in the parameters of a network."""


def recorded_farm():
    """Give the recording's file; skip the test where it is not here."""
    path = SHARED / "robot-milkings.csv"
    if not path.is_file():
        pytest.skip(f"{path} is not here: it holds a farm's recorded milkings")
    return path
