"""Status: what a gateway's file tells people, also beside a gateway that runs."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from iot_minting.gateway.archive import Archive
from iot_minting.gateway.letters import Letter, Letters, LetterState, What
from iot_minting.gateway.store import Store
from ledger.primitives.amounts import Units, format_bill
from ledger.primitives.codec import decode
from ledger.types.transaction import TRANSACTION_BYTES_MAX
from ledger.types.window import MintWindow

LATEST: Final = 10


def read_status(path: Path) -> dict[str, object]:
    """Tell what was stored, refused, collected, claimed and minted."""
    store, archive, letters = Store(path), Archive(path), Letters(path)
    try:
        return {
            "devices": len(store.devices()),
            "followed_height": store.followed_height(),
            "envelopes_stored": archive.envelope_count(),
            "envelopes_refused": archive.refused_counts(),
            **_letters(letters),
        }
    finally:
        for each in (store, archive, letters):
            each.close()


def format_time(at_ms: int) -> str:
    """Write a time as ISO 8601, in UTC."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")


def _letters(letters: Letters) -> dict[str, object]:
    totals = letters.totals()
    states: dict[str, dict[str, int]] = {}
    for (what, state), (count, _) in sorted(totals.items()):
        states.setdefault(what, {})[state] = count

    def litres(what: What) -> str:
        return format_bill(Units(totals.get((what, LetterState.FINAL), (0, 0))[1]))

    return {
        "letters": states,
        "collected_litres": litres(What.COLLECTION),
        "minted_litres": litres(What.WINDOW),
        "lines": [
            {
                "line": line.hex(),
                "windows_claimed": claimed,
                "windows_minted": minted,
                "minted_litres": format_bill(Units(units)),
            }
            for line, claimed, minted, units in letters.windows()
        ],
        "latest_windows": [_window(each) for each in letters.latest(What.WINDOW, LATEST)],
    }


def _window(letter: Letter) -> dict[str, object]:
    claim = decode(letter.body, MintWindow, TRANSACTION_BYTES_MAX).claim
    return {
        "line": letter.subject.hex(),
        "from": format_time(claim.from_ms),
        "to": format_time(claim.to_ms),
        "state": letter.state.value,
        "litres": format_bill(Units(letter.units)),
        "txid": letter.txid.hex(),
        "height": letter.height,
        "detail": letter.detail,
        "claimed": format_time(letter.made_ms),
    }
