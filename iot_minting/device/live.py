"""A measuring device: signs readings, journals them, publishes them, and keeps them until the
ingest's signed receipt.

A broker's PUBACK is not durable, so it frees nothing. A reading is on this device's disk before
it is published, and leaves it only when a receipt covers it. After a reconnect, or when receipts
stop coming, everything that is not receipted goes out again, in order. A boot is sent once all of
the boots before it are receipted: the chain takes no reading that comes after a later one.

Back-pressure: a journal holds only so many envelopes (`journal.JOURNAL_MAX`); beyond, `record`
raises `JournalFull` and the device must stop measuring (a milk meter: stop the pump) rather than
forget.

What is sent and how often is decided here; what is signed and forgotten, in `chain`. Nothing is
sent before the retained receipt was heard or waited for: it may tell that the chain must begin
anew.
"""

import logging
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import structlog

from iot_minting.device.chain import DeviceChain, Heard
from iot_minting.device.session import WINDOW_MAX, DeviceSession, SessionEvents
from iot_minting.device.signer import DeviceSettings, Samples
from iot_minting.errors import BadReceipt
from iot_minting.wire.receipts import SettledEnvelope, read_receipt
from ledger.primitives.keys import SigningKey
from node.capped_log import CappedLog

STALL_S: Final = 5.0
STALL_S_MAX: Final = 60.0
RETRY_S: Final = 1.0
CHECK_S: Final = 0.25
RECEIPT_WAIT_S: Final = 1.0
"""How long the retained receipt is waited for after a connection; a new device has none."""

log = structlog.get_logger("device")


class LiveDevice:
    """One device, live: `record` measures, threads of its own publish."""

    def __init__(self, settings: DeviceSettings, key: SigningKey, journal_path: Path) -> None:
        self.settings = settings
        self.key = key
        self._chain = DeviceChain(settings, key, journal_path)
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._cursor = self._farthest = (-1, -1)
        self._sent = 0
        self._ready = False
        self._heard_by_s: float | None = None
        self._session: DeviceSession | None = None
        self._events = SessionEvents(
            self._on_listening, self._on_heard, self._on_lost, self._on_refused
        )
        self._lost = threading.Event()
        self._ending = threading.Event()
        self._progress_s = time.monotonic()
        self._stall_s = STALL_S
        self._refusals = CappedLog(log)
        self._thread = threading.Thread(target=self._supervise, daemon=True)

    @property
    def value(self) -> int:
        """Give the last value that was journaled, over all boots: where a totalizer stands."""
        return self._chain.value

    @property
    def last_ms(self) -> int:
        """Give the time of the last sample signed, over all boots; 0 if there is none."""
        return self._chain.last_ms

    @property
    def boot(self) -> int:
        """Give the boot that is running."""
        return self._chain.boot

    @property
    def held(self) -> int:
        """Count envelopes that have no receipt yet."""
        return self._chain.held

    def start(self) -> None:
        """Connect, now or as soon as the broker is there, and stay connected."""
        self._thread.start()

    def record(self, samples: Samples, *, tamper: bool = False) -> None:
        """Sign one envelope of samples, journal it, and publish it when possible."""
        self.record_many([samples], tamper=tamper)

    def record_many(self, batches: Sequence[Samples], *, tamper: bool = False) -> None:
        """Sign envelopes, journal them in one commit; raise `JournalFull`, keeping none."""
        with self._lock:
            self._chain.record(batches, tamper=tamper)
            self._pump()

    def wait_receipted(self, timeout_s: float) -> bool:
        """Wait until everything is receipted; tell whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: self._chain.held == 0, timeout_s)

    def begin_stop(self) -> None:
        """Ask for the end without waiting for it, so that many devices end at once."""
        self._ending.set()
        self._lost.set()

    def stop(self) -> None:
        """Say goodbye and end; what has no receipt stays in the journal."""
        self.begin_stop()
        if self._thread.is_alive():
            self._thread.join(timeout=5)
        with self._lock:
            self._chain.close()

    def _pump(self) -> None:
        """Publish from the journal as far as the window of unreceipted envelopes reaches."""
        if not self._ready or self._session is None or self._ending.is_set():
            return
        room = WINDOW_MAX - self._sent
        if room <= 0:
            return
        for boot, seq, raw in self._chain.sendable(self._cursor, room):
            resent = boot < self._chain.boot or (boot, seq) <= self._farthest
            self._session.publish(raw, resent=resent)
            self._cursor = (boot, seq)
            self._farthest = max(self._farthest, self._cursor)
            self._sent += 1

    def _supervise(self) -> None:
        """Hold one session at a time; a lost one is replaced, and everything goes out anew."""
        while not self._ending.is_set():
            self._lost.clear()
            session = DeviceSession(self.settings, self.key.public, self._events)
            if session.open(self.boot):
                self._session = session
                session.start()
                while not self._lost.wait(CHECK_S):
                    self._check_stall()
            self._forget_session()
            session.close(self.boot)
            self._ending.wait(RETRY_S)

    def _forget_session(self) -> None:
        with self._lock:
            self._ready, self._heard_by_s, self._session = False, None, None

    def _check_stall(self) -> None:
        """Send again when receipts stopped coming: the broker may have lost what it took."""
        with self._lock:
            if self._heard_by_s is not None and time.monotonic() >= self._heard_by_s:
                self._begin_sending()
            silent_s = time.monotonic() - self._progress_s
            if self._sent and silent_s > self._stall_s:
                self._stall_s = min(2 * self._stall_s, STALL_S_MAX)
                if self._chain.rise_above_loss():
                    self._farthest = (-1, -1)
                self._restart_sending()

    def _begin_sending(self) -> None:
        """Send from now on: the retained receipt was heard, or there is none."""
        self._heard_by_s, self._ready, self._stall_s = None, True, STALL_S
        self._restart_sending()

    def _restart_sending(self) -> None:
        """Announce the device, then send everything without a receipt from the oldest on."""
        assert self._session is not None
        self._cursor, self._sent = (-1, -1), 0
        self._chain.forget_behind()
        self._progress_s = time.monotonic()
        self._session.announce(self.boot)
        self._pump()

    def _on_listening(self, session: DeviceSession) -> None:
        """Start sending once receipts are heard: nothing is sent again needlessly."""
        with self._lock:
            if self._session is session and not self._ready:
                self._heard_by_s = time.monotonic() + RECEIPT_WAIT_S

    def _on_lost(self) -> None:
        with self._lock:
            self._ready, self._heard_by_s = False, None
        self._lost.set()

    def _on_refused(self, why: str) -> None:
        """Tell that the broker does not let the device in, or is not who it should be."""
        with self._lock:
            self._refusals.log(
                logging.WARNING, "broker refuses device", device=self.settings.name, why=why
            )

    def _on_heard(self, session: DeviceSession, payload: bytes) -> None:
        settings = self.settings
        try:
            receipt = read_receipt(
                payload, settings.chain_id, settings.ingest_keys, self.key.public
            )
        except BadReceipt as fault:
            self._refusals.log(
                logging.WARNING, "receipt refused", device=settings.name, detail=str(fault)
            )
            return
        with self._changed:
            if self._ending.is_set():
                return
            self._take_receipt(receipt.settled)
            if self._session is session and not self._ready:
                self._begin_sending()
            else:
                self._pump()

    def _take_receipt(self, settled: SettledEnvelope) -> None:
        """Forget what it covers; one for another's envelope tells of an earlier life, or a twin."""
        held = self._chain.held
        match self._chain.hear(settled):
            case Heard.FORGOTTEN:
                self._sent = max(0, self._sent - (held - self._chain.held))
                self._progress_s, self._stall_s = time.monotonic(), STALL_S
                self._changed.notify_all()
            case Heard.BEGUN_ANEW:
                self._cursor = self._farthest = (-1, -1)
                self._sent = 0
