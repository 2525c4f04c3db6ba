"""The ingest: takes envelopes off the broker, judges, stores, acknowledges, then tells of it.

The order is the promise: an envelope is acknowledged to the broker after the commit that holds
it, in the order of receipt, and receipted to its device after that. A kill between any two steps
loses nothing (broker or device send again) and stores nothing twice (numbers are unique).

A store that is full takes nothing off the broker, and a device that is too fast is put off: neither
has a receipt for what is not stored, so devices keep it and send it again.
"""

import logging
import threading
from collections.abc import Iterable
from typing import Final, Protocol

import structlog

from iot_minting.errors import BrokenChain, MissingPredecessor, OvertakenBoot, ReplayedSequence
from iot_minting.even_clock import EvenClock
from iot_minting.gateway.allowance import SAMPLES_A_SECOND, refusal_allowance
from iot_minting.gateway.config import STORE_BYTES
from iot_minting.gateway.loans import Loans
from iot_minting.gateway.metrics import (
    ACCEPTED,
    INGEST_SECONDS,
    NOT_KEPT,
    PUT_OFF,
    REFUSED,
    REPEATED,
    STORE_FULL,
    STORE_SIZE,
)
from iot_minting.gateway.receipting import Receipts
from iot_minting.gateway.subscription import Message, Subscription
from iot_minting.gateway.types import Quarantined
from iot_minting.gateway.verdicts import Accepted, PutOff, RefusedEnvelope, Repeated, Verdict
from ledger.primitives.keys import PublicKey
from node.capped_log import CappedLog

BATCH_MAX: Final = 100
BATCH_S: Final = 0.02
FULL_WAIT_S: Final = 1.0

_ELSEWHERE: Final = frozenset(
    {ReplayedSequence.code, OvertakenBoot.code, BrokenChain.code, MissingPredecessor.code}
)

log = structlog.get_logger("mint.ingest")


class Judge(Protocol):
    """What judges envelopes."""

    def judge(self, topic: str, raw: bytes, arrival_ms: int) -> list[Verdict]:
        """Judge one envelope, and those that waited for it. None at all means that it waits."""
        ...

    def expire(self, now_ms: int) -> list[Verdict]:
        """Refuse what has waited too long for an envelope before it."""
        ...


class Keeper(Protocol):
    """What makes verdicts durable."""

    def record(self, verdicts: Iterable[Verdict]) -> None:
        """Store a batch of verdicts durably: on return it is on the disk."""
        ...

    def size_bytes(self) -> int:
        """Tell how much of the file is in use."""
        ...

    def close(self) -> None:
        """Close the file."""
        ...


class Ingest:
    """One gateway's ingest loop, on a thread of its own.

    The store is its own: nobody else but its judge uses that connection, and `stop` closes it.
    """

    def __init__(
        self,
        judge: Judge,
        store: Keeper,
        subscription: Subscription,
        receipts: Receipts,
        clock: EvenClock | None = None,
        store_bytes_max: int = STORE_BYTES,
        loans: Loans | None = None,
    ) -> None:
        self._clock = clock or EvenClock()
        self._store = store
        self._receipts = receipts
        self._loans = loans or Loans()
        self._judge = judge
        self._subscription = subscription
        self._refusals = CappedLog(log)
        self._kept_refusals = refusal_allowance()
        self._store_bytes_max, self._is_full = store_bytes_max, False
        self._epoch = -1
        self._fresh: set[PublicKey] = set()  # At most the registered devices.
        self._ending = threading.Event()
        self._failed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ingest", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the batch in hand."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)
        self._store.close()

    @property
    def failed(self) -> bool:
        """Tell whether the loop died: its process must end and be started again."""
        return self._failed.is_set()

    def _run(self) -> None:
        try:
            while not self._ending.is_set():
                if self.has_room():
                    self.process(self._subscription.take(BATCH_MAX, BATCH_S))
                else:
                    self._ending.wait(FULL_WAIT_S)
        except Exception:
            # A disk that refuses must not be acknowledged over: end, and let it be restarted.
            log.exception("ingest failed")
            self._failed.set()

    def has_room(self) -> bool:
        """Tell whether the store may grow; say so in the log when that changes."""
        size = self._store.size_bytes()
        is_full = size >= self._store_bytes_max
        STORE_SIZE.set(size)
        STORE_FULL.set(is_full)
        if is_full != self._is_full:
            self._is_full = is_full
            self._refusals.log(
                logging.ERROR if is_full else logging.WARNING,
                "store is full: devices keep their readings" if is_full else "store has room again",
                size=size,
                store_bytes_max=self._store_bytes_max,
            )
        return not is_full

    def process(self, batch: list[Message]) -> None:
        """Judge and store a batch; when it is durable, acknowledge it, then send receipts."""
        verdicts: list[Verdict] = []
        touched: set[tuple[PublicKey, int]] = set()
        for message in batch:
            self._note_connection(message)
            for verdict in self._judge.judge(message.topic, message.payload, message.arrival_ms):
                touched |= _receiptable(verdict)
                if not self._is_resend(verdict, message):
                    verdicts.append(verdict)
        now_ms = self._clock.now_ms()
        for verdict in self._loans.take(now_ms):
            touched |= _receiptable(verdict)
            verdicts.append(verdict)
        verdicts += self._judge.expire(now_ms)
        if kept := [each for each in verdicts if self._is_kept(each, now_ms)]:
            self._store.record(kept)
        for message in batch:
            self._subscription.ack(message)
        self._report(verdicts)
        self._receipts.tell(touched, _elsewhere(verdicts))
        self._loans.step(now_ms)

    def _note_connection(self, message: Message) -> None:
        """On a new connection the broker may deliver again what was not acknowledged."""
        if message.epoch != self._epoch:
            self._epoch = message.epoch
            self._fresh.clear()

    def _is_resend(self, verdict: Verdict, message: Message) -> bool:
        """Tell a resend from a replay. Neither moves anything; only replays are worth a record.

        A device marks what it sends again; a broker delivers again before anything fresh.
        """
        match verdict:
            case Accepted(stored=stored):
                self._fresh.add(stored.device)
                return False
            case Repeated(entry=entry) if message.resent or entry.device not in self._fresh:
                REPEATED.inc()
                return True
            case _:
                return False

    def _is_kept(self, verdict: Verdict, now_ms: int) -> bool:
        """Tell whether a verdict is written down: of what anybody can cause, so much a second."""
        match verdict:
            case Accepted():
                return True
            case PutOff():
                return False
            case RefusedEnvelope() | Repeated():
                is_kept = self._kept_refusals.take(1, now_ms)
                NOT_KEPT.inc(not is_kept)
                return is_kept

    def _report(self, verdicts: list[Verdict]) -> None:
        for verdict in verdicts:
            match verdict:
                case Accepted(stored=stored):
                    ACCEPTED.inc()
                    waited_ms = self._clock.now_ms() - stored.arrival_ms
                    INGEST_SECONDS.observe(max(0, waited_ms) / 1_000)
                case PutOff(device=device):
                    PUT_OFF.inc()
                    self._refusals.log(
                        logging.WARNING,
                        "device put off: it brings too much, and sends it again",
                        device=device.hex(),
                        samples_a_second=SAMPLES_A_SECOND,
                    )
                case RefusedEnvelope(entry=entry):
                    REFUSED.labels(entry.code).inc()
                    self._tell("envelope refused", entry)
                case Repeated(entry=entry):
                    REFUSED.labels(entry.code).inc()
                    self._tell("envelope replayed", entry)

    def _tell(self, event: str, entry: Quarantined) -> None:
        """Log what whoever reaches the broker can cause: capped."""
        self._refusals.log(logging.WARNING, event, entry.code, code=entry.code, detail=entry.detail)


def _elsewhere(verdicts: list[Verdict]) -> set[PublicKey]:
    """Name the devices that go on from elsewhere than what is settled: they must learn what is."""
    return {
        verdict.entry.device
        for verdict in verdicts
        if isinstance(verdict, RefusedEnvelope)
        and verdict.entry.code in _ELSEWHERE
        and verdict.entry.device is not None
    }


def _receiptable(verdict: Verdict) -> set[tuple[PublicKey, int]]:
    """Name the boot whose device should learn how far it is settled."""
    match verdict:
        case Accepted(stored=stored):
            return {(stored.device, stored.boot)}
        case Repeated(entry=entry):
            assert entry.device is not None
            assert entry.boot is not None
            return {(entry.device, entry.boot)}
        case _:
            return set()
