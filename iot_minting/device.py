"""A measuring device: signs readings, journals them, publishes them, and keeps them until the
ingest's signed receipt.

A broker's PUBACK is not durable, so it frees nothing. A reading is on this device's disk before
it is published, and leaves it only when a receipt covers it. After a reconnect, or when receipts
stop coming, everything that is not receipted goes out again, in order.

Back-pressure: the journal holds `JOURNAL_MAX` envelopes; beyond, `record` raises `JournalFull`
and the device must stop measuring (a milk meter: stop the pump) rather than forget.

Invariant: (boot, seq) is never used twice: the boot is counted up on disk before its first
reading, and a reading is on disk before anyone sees it. A journal that came back from a backup
counts a boot that was used; the retained receipt tells, so nothing is sent before it was heard or
waited for, and what waits is signed anew under a boot above it.
"""

import json
import logging
import sqlite3
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import paho.mqtt.client as paho
import structlog
from msgspec.structs import replace
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from iot_minting.errors import BadReceipt, JournalFull
from iot_minting.mqtt import (
    KEEPALIVE_S,
    READING_EXPIRY_S,
    connect_properties,
    make_client,
    publish_properties,
)
from iot_minting.topics import readings_topic, receipt_topic, state_topic
from iot_minting.types import SignedReceipt, read_receipt
from ledger.primitives.codec import encode
from ledger.primitives.hashing import ZERO_HASH, Hash
from ledger.primitives.keys import PublicKey, SigningKey
from ledger.types.reading import (
    READING_VERSION,
    Reading,
    Stream,
    Unit,
    decode_envelope,
    sign_reading,
)
from node.capped_log import CappedLog

JOURNAL_MAX: Final = 10_000
WINDOW_MAX: Final = 500
"""Envelopes on their way without a receipt; the rest waits in the journal."""
STALL_S: Final = 5.0
STALL_S_MAX: Final = 60.0
RETRY_S: Final = 1.0
CHECK_S: Final = 0.25
RECEIPT_WAIT_S: Final = 1.0
"""How long the retained receipt is waited for after a connection; a new device has none."""

log = structlog.get_logger("device")

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS journal (
    boot INTEGER NOT NULL, seq INTEGER NOT NULL, raw BLOB NOT NULL,
    PRIMARY KEY (boot, seq)) STRICT, WITHOUT ROWID;
"""

Samples = Sequence[tuple[int, int]]
"""Times in milliseconds since 1970, ascending, and values."""


@dataclass(frozen=True, slots=True)
class DeviceSettings:
    """Who a device is, where it stands, what it measures, and whose receipts it trusts."""

    name: str
    plant: str
    line: str
    stream: Stream
    unit: Unit
    chain_id: Hash
    ingest_key: PublicKey
    broker_host: str
    broker_port: int
    calibration: str = "factory"
    firmware: str = "1.0"


class DeviceJournal:
    """A device's disk: its boot count, its last value, and every envelope without a receipt."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.executescript(_SCHEMA)
        self.boot = self._count_boot()
        self.value = self._meta("value", 0)
        self.last_ms = self._meta("last_ms", 0)
        self.held = int(self._db.execute("SELECT count(*) FROM journal").fetchone()[0])

    def _meta(self, name: str, default: int) -> int:
        found = self._db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return default if found is None else int(found[0])

    def _put_meta(self, name: str, value: int) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

    def _count_boot(self) -> int:
        boot = self._meta("boot", -1) + 1
        self._put_meta("boot", boot)
        return boot

    def append(self, entries: Sequence[tuple[int, bytes]], value: int, last_ms: int) -> None:
        """Keep envelopes of this boot, the last value and its time, in one synced commit."""
        self._db.execute("BEGIN")
        self._db.executemany(
            "INSERT INTO journal VALUES (?, ?, ?)", [(self.boot, *entry) for entry in entries]
        )
        self._put_meta("value", value)
        self._put_meta("last_ms", last_ms)
        self._db.execute("COMMIT")
        self.value, self.last_ms, self.held = value, last_ms, self.held + len(entries)

    def after(self, cursor: tuple[int, int], limit: int) -> list[tuple[int, int, bytes]]:
        """List envelopes after a (boot, seq), in order."""
        rows = self._db.execute(
            "SELECT boot, seq, raw FROM journal WHERE (boot, seq) > (?, ?) "
            "ORDER BY boot, seq LIMIT ?",
            (*cursor, limit),
        )
        return rows.fetchall()

    def replace(self, boot: int, entries: Sequence[tuple[int, bytes]]) -> None:
        """Take another boot, and hold these envelopes of it in place of all, in one commit."""
        self._db.execute("BEGIN")
        self._db.execute("DELETE FROM journal")
        self._db.executemany(
            "INSERT INTO journal VALUES (?, ?, ?)", [(boot, *entry) for entry in entries]
        )
        self._put_meta("boot", boot)
        self._db.execute("COMMIT")
        self.boot, self.held = boot, len(entries)

    def prune(self, boot: int, seq: int) -> int:
        """Forget what a receipt covers; tell how many that was."""
        gone = self._db.execute(
            "DELETE FROM journal WHERE boot = ? AND seq <= ?", (boot, seq)
        ).rowcount
        self.held -= gone
        return gone

    def close(self) -> None:
        """Close the file."""
        self._db.close()


class LiveDevice:
    """One device, live: `record` measures, threads of its own publish."""

    def __init__(self, settings: DeviceSettings, key: SigningKey, journal_path: Path) -> None:
        self.settings = settings
        self.key = key
        self._journal = DeviceJournal(journal_path)
        self._seq, self._previous = 0, ZERO_HASH
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._cursor = self._farthest = (-1, -1)
        self._sent = 0
        self._ready = False
        self._heard_by_s: float | None = None
        self._client: paho.Client | None = None
        self._lost = threading.Event()
        self._ending = threading.Event()
        self._progress_s = time.monotonic()
        self._stall_s = STALL_S
        self._refusals = CappedLog(log)
        self._thread = threading.Thread(target=self._supervise, daemon=True)

    @property
    def value(self) -> int:
        """Give the last value that was journaled, over all boots: where a totalizer stands."""
        return self._journal.value

    @property
    def last_ms(self) -> int:
        """Give the time of the last sample signed, over all boots; 0 if there is none."""
        return self._journal.last_ms

    @property
    def boot(self) -> int:
        """Give the boot that is running."""
        return self._journal.boot

    @property
    def held(self) -> int:
        """Count envelopes that have no receipt yet."""
        return self._journal.held

    def start(self) -> None:
        """Connect, now or as soon as the broker is there, and stay connected."""
        self._thread.start()

    def record(self, samples: Samples, *, tamper: bool = False) -> None:
        """Sign one envelope of samples, journal it, and publish it when possible."""
        self.record_many([samples], tamper=tamper)

    def record_many(self, batches: Sequence[Samples], *, tamper: bool = False) -> None:
        """Sign envelopes, journal them in one commit; raise `JournalFull`, keeping none."""
        with self._lock:
            if self._journal.held + len(batches) > JOURNAL_MAX:
                raise JournalFull(self._journal.held)
            entries = [self._sign(samples, tamper=tamper) for samples in batches]
            if entries:
                last_ms, value = batches[-1][-1]
                self._journal.append(entries, value, last_ms)
            self._pump()

    def wait_receipted(self, timeout_s: float) -> bool:
        """Wait until everything is receipted; tell whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: self._journal.held == 0, timeout_s)

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
            self._journal.close()

    def _sign(self, samples: Samples, *, tamper: bool) -> tuple[int, bytes]:
        t0_ms = samples[0][0]
        reading = Reading(
            version=READING_VERSION,
            device=self.key.public,
            boot=self._journal.boot,
            seq=self._seq,
            t0_ms=t0_ms,
            stream=self.settings.stream,
            unit=self.settings.unit,
            samples=tuple((at_ms - t0_ms, value) for at_ms, value in samples),
            calibration=self.settings.calibration,
            firmware=self.settings.firmware,
            tamper=tamper,
            previous=self._previous,
        )
        return self._seal(reading)

    def _seal(self, reading: Reading) -> tuple[int, bytes]:
        envelope = sign_reading(reading, self.settings.chain_id, self.key)
        self._seq, self._previous = self._seq + 1, envelope.digest()
        return reading.seq, encode(envelope)

    def _rise_above(self, used: SignedReceipt) -> None:
        """Take a boot above one that was used, and sign all that waits anew, with its times."""
        boot = max(used.boot, self._journal.boot) + 1
        waiting = self._journal.after((-1, -1), JOURNAL_MAX)
        log.warning(
            "boot was used: a journal from a backup, or a second device with this key",
            device=self.settings.name,
            used=(used.boot, used.seq),
            boot=boot,
            signed_anew=len(waiting),
        )
        self._seq, self._previous = 0, ZERO_HASH
        entries = []
        for _boot, _seq, raw in waiting:
            reading = decode_envelope(raw).reading()
            entries.append(
                self._seal(replace(reading, boot=boot, seq=self._seq, previous=self._previous))
            )
        self._journal.replace(boot, entries)
        self._cursor = self._farthest = (-1, -1)
        self._sent = 0

    def _pump(self) -> None:
        """Publish from the journal as far as the window of unreceipted envelopes reaches."""
        if not self._ready or self._client is None or self._ending.is_set():
            return
        room = WINDOW_MAX - self._sent
        if room <= 0:
            return
        topic = readings_topic(self.settings.plant, self.settings.line, self.key.public)
        for boot, seq, raw in self._journal.after(self._cursor, room):
            resent = boot < self._journal.boot or (boot, seq) <= self._farthest
            self._client.publish(
                topic, raw, qos=1, properties=publish_properties(READING_EXPIRY_S, resent=resent)
            )
            self._cursor = (boot, seq)
            self._farthest = max(self._farthest, self._cursor)
            self._sent += 1

    def _supervise(self) -> None:
        """Hold one connection at a time; a lost one is replaced by a new client, sent anew.

        A new client, because an old one would send its own queue again beside the journal.
        """
        while not self._ending.is_set():
            self._lost.clear()
            client = self._connect()
            while client is not None and not self._lost.wait(CHECK_S):
                self._check_stall()
            self._disconnect(client)
            self._ending.wait(RETRY_S)

    def _connect(self) -> paho.Client | None:
        settings = self.settings
        client = make_client(f"dev-{self.key.public.hex()[:40]}", retry=False)
        client.max_inflight_messages_set(WINDOW_MAX)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        topic = state_topic(settings.plant, settings.line, self.key.public)
        client.will_set(topic, self._state("lost"), qos=1, retain=True)
        try:
            client.connect(
                settings.broker_host,
                settings.broker_port,
                KEEPALIVE_S,
                clean_start=True,
                properties=connect_properties(0),
            )
        except OSError as error:
            log.debug("broker away", device=settings.name, error=str(error))
            return None
        self._client = client
        client.loop_start()
        return client

    def _disconnect(self, client: paho.Client | None) -> None:
        with self._lock:
            self._ready, self._heard_by_s, self._client = False, None, None
        if client is None:
            return
        if client.is_connected():
            topic = state_topic(self.settings.plant, self.settings.line, self.key.public)
            goodbye = client.publish(topic, self._state("off"), qos=1, retain=True)
            goodbye.wait_for_publish(timeout=1)
            client.disconnect()
        client.loop_stop()

    def _check_stall(self) -> None:
        """Send again when receipts stopped coming: the broker may have lost what it took."""
        with self._lock:
            if self._heard_by_s is not None and time.monotonic() >= self._heard_by_s:
                self._begin_sending()
            silent_s = time.monotonic() - self._progress_s
            if self._sent and silent_s > self._stall_s:
                self._stall_s = min(2 * self._stall_s, STALL_S_MAX)
                self._restart_sending()

    def _begin_sending(self) -> None:
        """Send from now on: the retained receipt was heard, or there is none."""
        self._heard_by_s, self._ready, self._stall_s = None, True, STALL_S
        self._restart_sending()

    def _restart_sending(self) -> None:
        """Announce the device, then send everything without a receipt from the oldest on."""
        assert self._client is not None
        self._cursor, self._sent = (-1, -1), 0
        self._progress_s = time.monotonic()
        topic = state_topic(self.settings.plant, self.settings.line, self.key.public)
        self._client.publish(topic, self._state("on"), qos=1, retain=True)
        self._pump()

    def _state(self, word: str) -> str:
        return json.dumps(
            {
                "state": word,
                "name": self.settings.name,
                "boot": self._journal.boot,
                "stream": self.settings.stream,
                "unit": self.settings.unit,
                "firmware": self.settings.firmware,
            }
        )

    def _on_connect(
        self,
        client: paho.Client,
        _userdata: object,
        _flags: paho.ConnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            self._lost.set()
            return
        client.subscribe(receipt_topic(self.key.public), qos=1)

    def _on_subscribe(
        self,
        client: paho.Client,
        _userdata: object,
        _mid: int,
        _reasons: list[ReasonCode],
        _properties: Properties | None,
    ) -> None:
        """Start sending once receipts are heard: nothing is sent again needlessly."""
        with self._lock:
            if self._client is client and not self._ready:
                self._heard_by_s = time.monotonic() + RECEIPT_WAIT_S

    def _on_disconnect(
        self,
        _client: paho.Client,
        _userdata: object,
        _flags: paho.DisconnectFlags,
        _reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        with self._lock:
            self._ready, self._heard_by_s = False, None
        self._lost.set()

    def _on_message(
        self, client: paho.Client, _userdata: object, message: paho.MQTTMessage
    ) -> None:
        settings = self.settings
        try:
            receipt = read_receipt(
                bytes(message.payload), settings.chain_id, settings.ingest_key, self.key.public
            )
        except BadReceipt as fault:
            self._refusals.log(
                logging.WARNING, "receipt refused", device=settings.name, detail=str(fault)
            )
            return
        with self._changed:
            if self._ending.is_set():
                return
            self._take_receipt(receipt)
            if self._client is client and not self._ready:
                self._begin_sending()
            else:
                self._pump()

    def _take_receipt(self, receipt: SignedReceipt) -> None:
        """Forget what it covers; one for numbers that were never given tells of an earlier life."""
        if (receipt.boot, receipt.seq) >= (self._journal.boot, self._seq):
            self._rise_above(receipt)
        elif gone := self._journal.prune(receipt.boot, receipt.seq):
            self._sent = max(0, self._sent - gone)
            self._progress_s, self._stall_s = time.monotonic(), STALL_S
            self._changed.notify_all()
