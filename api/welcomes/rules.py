"""What may become of a welcome. Pure: nothing leads out of `succeeded`."""

from collections.abc import Mapping
from typing import Final

from api.welcomes.model import WelcomeEvent, WelcomeState

_E: Final = WelcomeEvent
_S: Final = WelcomeState

TABLE: Final[Mapping[tuple[WelcomeState, WelcomeEvent], WelcomeState]] = {
    (_S.PENDING, _E.SIGNED): _S.SUBMITTED,
    (_S.PENDING, _E.FAILED): _S.FAILED,
    (_S.SUBMITTED, _E.SUCCEEDED): _S.SUCCEEDED,
    (_S.SUBMITTED, _E.FAILED): _S.FAILED,
    (_S.SUBMITTED, _E.LAPSED): _S.PENDING,
    (_S.FAILED, _E.ASK): _S.PENDING,
}


def after(state: WelcomeState, event: WelcomeEvent) -> WelcomeState | None:
    """Give the state after an event; None if it doesn't happen in this state."""
    return TABLE.get((state, event))
