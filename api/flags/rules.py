"""What a person may do with a flag: the table of its states. Pure; a release is the last word."""

from collections.abc import Mapping
from typing import Final

from api.errors import Conflict
from api.flags.model import FlagEvent, FlagState

TRANSITIONS: Final[Mapping[tuple[FlagState, FlagEvent], FlagState]] = {
    (FlagState.OPEN, FlagEvent.CONFIRM): FlagState.CONFIRMED,
    (FlagState.OPEN, FlagEvent.RELEASE): FlagState.RELEASED,
    (FlagState.CONFIRMED, FlagEvent.CONFIRM): FlagState.CONFIRMED,
    (FlagState.CONFIRMED, FlagEvent.RELEASE): FlagState.RELEASED,
    (FlagState.RELEASED, FlagEvent.RELEASE): FlagState.RELEASED,
}
"""A flag that was released is over: what happens later raises a new one."""


def after(state: FlagState, event: FlagEvent) -> FlagState:
    """Give a flag's next state; raise `Conflict` where there is none."""
    found = TRANSITIONS.get((state, event))
    if found is None:
        raise Conflict(f"a flag that was {state} can't be {event}ed")
    return found
