"""A device's chain of envelopes, on its disk: signed in order, forgotten when receipted.

A receipt names the envelope that it ends with, so a device knows its own. One for another's
envelope tells of a journal that came back from a backup, or of a twin with the same key: what
waits is signed anew under a boot above, as a new chain, since its end is not where the ingest's
is. A receipt that lies before an earlier one, and stays, tells of an ingest that lost what it had.

Invariant: (boot, seq) is never used twice: the boot is counted up on disk before its first
reading, and a reading is on disk before anyone sees it. No threads: its owner locks.
"""

from collections.abc import Sequence
from enum import Enum
from pathlib import Path

import structlog

from iot_minting.device.journal import JOURNAL_MAX, DeviceJournal
from iot_minting.device.signer import DeviceSettings, ReadingSigner, Samples
from iot_minting.errors import JournalFull
from iot_minting.wire.receipts import NOTHING_SETTLED, SettledEnvelope
from ledger.primitives.keys import SigningKey

log = structlog.get_logger("device")


class Heard(Enum):
    """What a receipt came to."""

    NOTHING = 1
    FORGOTTEN = 2
    BEGUN_ANEW = 3


class DeviceChain:
    """Signs, journals and forgets the envelopes of one device."""

    def __init__(self, settings: DeviceSettings, key: SigningKey, journal_path: Path) -> None:
        self._name = settings.name
        self._journal = DeviceJournal(journal_path)
        self._signer = ReadingSigner(settings, key, self._journal.boot, self._journal.end)
        self._behind: SettledEnvelope | None = None

    @property
    def value(self) -> int:
        """Give the last value that was journaled, over all boots: where a totalizer stands."""
        return self._journal.end.value

    @property
    def last_ms(self) -> int:
        """Give the time of the last sample signed, over all boots; 0 if there is none."""
        return self._journal.end.last_ms

    @property
    def boot(self) -> int:
        """Give the boot that is running."""
        return self._journal.boot

    @property
    def held(self) -> int:
        """Count envelopes that have no receipt yet."""
        return self._journal.held

    def record(self, batches: Sequence[Samples], *, tamper: bool = False) -> None:
        """Sign envelopes, journal them in one commit; raise `JournalFull`, keeping none."""
        if self._journal.held + len(batches) > JOURNAL_MAX:
            raise JournalFull(self._journal.held)
        signed = [self._signer.sign(samples, tamper=tamper) for samples in batches]
        if signed:
            self._journal.append(signed)

    def sendable(self, cursor: tuple[int, int], limit: int) -> list[tuple[int, int, bytes]]:
        """List envelopes after a (boot, seq), in order, of the oldest boot alone."""
        return self._journal.sendable(cursor, limit)

    def waiting(self) -> list[bytes]:
        """List every envelope without a receipt, in order."""
        return self._journal.waiting()

    def hear(self, settled: SettledEnvelope) -> Heard:
        """Forget what a receipt covers; begin anew above one for another's envelope."""
        known = self._journal.settled
        if settled == known:
            self._behind = None
            return Heard.NOTHING
        if known is None and settled == NOTHING_SETTLED:
            return Heard.NOTHING
        if settled == NOTHING_SETTLED or (known is not None and settled.number < known.number):
            self._behind = settled  # Late, or the ingest has lost what came after.
            return Heard.NOTHING
        self._behind = None
        if self._journal.holds(settled):
            self._journal.prune(settled)
            return Heard.FORGOTTEN
        self._begin_anew(settled)
        return Heard.BEGUN_ANEW

    def forget_behind(self) -> None:
        """Wait for another word of how far the ingest is: everything is sent again."""
        self._behind = None

    def rise_above_loss(self) -> bool:
        """Begin anew if the ingest's last word lies before what it receipted; tell whether so."""
        if self._behind is None:
            return False
        self._begin_anew(self._behind)
        self._behind = None
        return True

    def close(self) -> None:
        """Close the file."""
        self._journal.close()

    def _begin_anew(self, used: SettledEnvelope) -> None:
        """Take a boot above one that was used, and sign all that waits anew, with its times."""
        boot = max(used.boot, self._journal.boot) + 1
        waiting = self._journal.waiting()
        log.warning(
            "chain begun anew: a journal or an ingest from a backup, or a second device",
            device=self._name,
            used=used.number,
            boot=boot,
            signed_anew=len(waiting),
        )
        self._journal.begin_anew(boot, self._signer.sign_anew(boot, waiting), used)
