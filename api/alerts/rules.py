"""What may happen to an alert: one table; and its words for people. Pure."""

from collections.abc import Mapping
from typing import Final

from api.alerts.model import AlertEvent, AlertKind, AlertState
from api.errors import Conflict

TABLE: Final[Mapping[tuple[AlertState, AlertEvent], AlertState]] = {
    (AlertState.OPEN, AlertEvent.ACKNOWLEDGE): AlertState.ACKNOWLEDGED,
    (AlertState.ACKNOWLEDGED, AlertEvent.ACKNOWLEDGE): AlertState.ACKNOWLEDGED,
    (AlertState.OPEN, AlertEvent.MENDED): AlertState.OVER,
    (AlertState.ACKNOWLEDGED, AlertEvent.MENDED): AlertState.OVER,
}

WORDS: Final[Mapping[AlertKind, tuple[str, str]]] = {
    AlertKind.SIGNER_SILENT: (
        "Refunds, coupons and top-ups wait: the signer of this account is silent",
        "Bayaran balik, kupon dan tambah nilai menunggu: penandatangan akaun ini senyap",
    ),
    AlertKind.WEBHOOK_DISABLED: (
        "A webhook endpoint took nothing and was disabled",
        "Titik akhir webhook tidak menerima apa-apa dan telah dinyahdayakan",
    ),
    AlertKind.PRICE_BELOW_MILK: (
        "A product costs less than the milk in it, so nobody can order it",
        "Harga produk kurang daripada harga susunya, maka tiada siapa boleh memesannya",
    ),
    AlertKind.FLAG_OPEN: (
        "Something looks odd and waits for a person",
        "Sesuatu kelihatan ganjil dan menunggu seseorang",
    ),
}
"""In English and in Malay."""


def after(state: AlertState, event: AlertEvent) -> AlertState:
    """Give an alert's next state; raise `Conflict` where there is none."""
    found = TABLE.get((state, event))
    if found is None:
        raise Conflict(f"an alert that is {state} can't be {event}d")
    return found
