"""What may become of a cash-out. Pure.

What the float has is owed, whenever it came: nothing that is sent is lost. In time it is worth what
was agreed, later what it is worth then.
"""

from collections.abc import Mapping
from typing import Final

from api.amounts import sen_worth
from api.cash_outs.model import CashOut, CashOutEvent, CashOutState

_E: Final = CashOutEvent
_S: Final = CashOutState

TABLE: Final[Mapping[tuple[CashOutState, CashOutEvent], CashOutState]] = {
    (_S.AWAITING, _E.RECEIVE): _S.RECEIVED,
    (_S.RECEIVED, _E.RECEIVE): _S.RECEIVED,
    (_S.PAID, _E.RECEIVE): _S.RECEIVED,
    (_S.EXPIRED, _E.RECEIVE): _S.RECEIVED,
    (_S.RECEIVED, _E.PAY): _S.PAID,
    (_S.AWAITING, _E.LAPSE): _S.EXPIRED,
}
HOLDS_MS: Final = 30 * 60_000
"""How long a price holds."""
ALONE_SEN_MAX: Final = 5_000
"""What one person pays out alone."""


def after(state: CashOutState, event: CashOutEvent) -> CashOutState | None:
    """Give the state after an event; None if it doesn't happen in this state."""
    return TABLE.get((state, event))


def received(cash_out: CashOut, units: int, at_ms: int, litre_sen_now: int) -> CashOut:
    """Add what came in at a time, for what it is worth."""
    state = after(cash_out.state, CashOutEvent.RECEIVE)
    assert state is not None, "money may come at any time"
    litre_sen = cash_out.litre_sen if at_ms <= cash_out.expires_ms else litre_sen_now
    return cash_out.changed(
        state=state,
        received_units=cash_out.received_units + units,
        received_sen=cash_out.received_sen + sen_worth(units, litre_sen),
        ended_ms=None,
    )
