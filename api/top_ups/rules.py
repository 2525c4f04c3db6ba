"""What may become of a top-up, and who gives how much alone. Pure.

The law of the books: the cash of a top-up is in the drawer until it is reversed; its BILL is owed
until it was sent or the cash went back. What is on its way or sent is never reversed: it comes back
by a cash-out.
"""

from collections.abc import Mapping
from typing import Final

from api.top_ups.model import TopUpEvent, TopUpState

_E: Final = TopUpEvent
_S: Final = TopUpState

TABLE: Final[Mapping[tuple[TopUpState, TopUpEvent], TopUpState]] = {
    (_S.PENDING, _E.SIGNED): _S.SUBMITTED,
    (_S.PENDING, _E.FAILED): _S.FAILED,
    (_S.PENDING, _E.REVERSE): _S.REVERSED,
    (_S.SUBMITTED, _E.SUCCEEDED): _S.SUCCEEDED,
    (_S.SUBMITTED, _E.FAILED): _S.FAILED,
    (_S.SUBMITTED, _E.LAPSED): _S.PENDING,
    (_S.FAILED, _E.REVERSE): _S.REVERSED,
}
ALONE_SEN_MAX: Final = 5_000
"""What one person lets somebody have in 24 hours; for more it takes two officers."""
TOGETHER_SEN_MAX: Final = 100_000
"""What two officers let somebody have in 24 hours."""
DAY_MS: Final = 86_400_000
"""Any 24 hours: no midnight doubles a limit."""


def after(state: TopUpState, event: TopUpEvent) -> TopUpState | None:
    """Give the state after an event; None if it doesn't happen in this state."""
    return TABLE.get((state, event))


def limit_of(approved_by: str) -> int:
    """Say how much somebody may have in a day, by whether a second person has agreed."""
    return TOGETHER_SEN_MAX if approved_by else ALONE_SEN_MAX
