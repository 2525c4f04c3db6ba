"""Duty: for which plants a gateway acts, alone or beside others of its MMU.

A gateway that names no `peers` is alone: it acts for every plant, and says nothing to others. Words
come over the connection of readings, past their queue: who is too far behind stops acting.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Final

import structlog

from iot_minting.errors import BadLease, BadReceipt
from iot_minting.even_clock import EvenClock
from iot_minting.gateway.config import MintConfig, MintKeys
from iot_minting.gateway.copies import Copies
from iot_minting.gateway.leasing import LeaseRules, PlantLease
from iot_minting.gateway.metrics import PLANTS_HELD
from iot_minting.wire.leases import read_lease, sign_lease
from iot_minting.wire.loans import LOAN_BYTES_MAX, Number
from iot_minting.wire.receipts import COUNT_MAX, SettledEnvelope, read_copy, sign_copy
from iot_minting.wire.topics import (
    COPIES_FILTER,
    LEASES_FILTER,
    WANTS_FILTER,
    WORDS,
    copy_topic,
    lease_topic,
    loans_filter,
    parse_copy_topic,
    parse_lease_topic,
    parse_loan_topic,
    parse_want_topic,
)
from ledger.primitives.codec import encode
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import PublicKey

FRESH_MAX: Final = 10_000
"""Boots of which copies are told at once; a device asks for the rest by sending again."""

LETTERS_MAX: Final = 256
"""Wants and loans of others that wait for the ingest; the oldest go."""


@dataclass(frozen=True, slots=True)
class PeerLetter:
    """What another gateway wants (`asker`), or lends to this one; nobody has read it yet."""

    asker: PublicKey | None
    raw: bytes


Say = Callable[[str, bytes, int], None]
"""Keeps a message at the broker, under a topic, at a QoS; lost if the broker is away."""

log = structlog.get_logger("mint.duty")


class Duty:
    """What a gateway may do that is alone: everything."""

    filters: Sequence[str] = ()
    """Where others' words are told."""

    def start(self, say: Say) -> None:
        """Begin to speak."""

    def connect(self) -> None:
        """Note that the broker is there."""

    def disconnect(self) -> None:
        """Note that the broker is away."""

    def hear(self, topic: str, raw: bytes) -> bool:
        """Take in what is no reading; tell whether that is so."""
        return topic.startswith(WORDS) and not topic.endswith("/r")

    def watch(self, plants: Iterable[str]) -> None:
        """Take part in the leases of these plants."""

    def tick(self) -> None:
        """Renew what is held, and take what is free."""

    def holds(self, plant: str) -> bool:
        """Tell whether this gateway acts for a plant now."""
        return True

    def tell_copy(self, plant: str, device: PublicKey, settled: SettledEnvelope) -> None:
        """Tell the others what is stored here."""

    def take_fresh(self) -> Set[tuple[PublicKey, int]]:
        """Give the boots of devices of which others told copies since this was asked last."""
        return frozenset()

    def reach(self, device: PublicKey, boot: int) -> int:
        """Give the number up to which there are copies enough of a boot; -1 if of nothing."""
        return COUNT_MAX

    def is_elsewhere(self, device: PublicKey) -> bool:
        """Tell whether another gateway stored something of a device."""
        return False

    def ends_elsewhere(self) -> Mapping[PublicKey, Mapping[PublicKey, Number]]:
        """Tell how far others stored each device's chain."""
        return {}

    def take_letters(self) -> Sequence[PeerLetter]:
        """Give what others want, and what they lend, since this was asked last."""
        return ()


class SharedDuty(Duty):
    """Duty beside the gateways that the configuration names as peers. Threads share it."""

    def __init__(
        self, config: MintConfig, keys: MintKeys, chain_id: Hash, clock: EvenClock
    ) -> None:
        self._config, self._keys, self._chain_id, self._clock = config, keys, chain_id, clock
        self._peers = frozenset(PublicKey(bytes.fromhex(each)) for each in config.peers)
        self._rules = LeaseRules(keys.ingest.public, config.lease_ms, config.standby)
        self._lock = threading.Lock()
        self._online = False
        self._plants: dict[str, PlantLease] = {}
        self._held: set[str] = set()
        self._copies = Copies(config.copies)
        self._fresh: set[tuple[PublicKey, int]] = set()
        self._letters: deque[PeerLetter] = deque(maxlen=LETTERS_MAX)
        self.filters = (
            LEASES_FILTER,
            COPIES_FILTER,
            WANTS_FILTER,
            loans_filter(keys.ingest.public),
        )
        self._say: Say = _say_nothing

    def start(self, say: Say) -> None:
        """Begin to speak."""
        self._say = say

    def watch(self, plants: Iterable[str]) -> None:
        """Take part in the leases of these plants, of those that the configuration names."""
        named = set(self._config.plants)
        with self._lock:
            for plant in sorted(set(plants) - self._plants.keys()):
                if not named or plant in named:
                    lease = self._plants[plant] = PlantLease(self._rules)
                    if self._online:
                        lease.connect(self._clock.now_ms())

    def tick(self) -> None:
        """Renew what is held, and take what is free."""
        now_ms = self._clock.now_ms()
        with self._lock:
            words = [(plant, each.tick(now_ms)) for plant, each in self._plants.items()]
            held = {plant for plant, each in self._plants.items() if each.holds(now_ms)}
        for plant, word in words:
            if word is not None:
                signed = sign_lease(self._chain_id, self._keys.mmu, plant, word)
                # Never sent again by the client: a word of before must not come late.
                self._say(lease_topic(plant), encode(signed), 0)
        self._tell(held)

    def _tell(self, held: set[str]) -> None:
        for plant in sorted(held - self._held):
            log.info("plant held", plant=plant)
        for plant in sorted(self._held - held):
            log.warning("plant no longer held", plant=plant)
        self._held = held
        PLANTS_HELD.set(len(held))

    def holds(self, plant: str) -> bool:
        """Tell whether this gateway acts for a plant now."""
        now_ms = self._clock.now_ms()
        with self._lock:
            lease = self._plants.get(plant)
            return lease is not None and lease.holds(now_ms)

    def tell_copy(self, plant: str, device: PublicKey, settled: SettledEnvelope) -> None:
        """Tell the others what is stored here; lost if the broker is away, as is a receipt."""
        topic = copy_topic(plant, self._keys.ingest.public, device)
        signed = sign_copy(self._chain_id, self._keys.ingest, device, settled)
        self._say(topic, encode(signed), 1)

    def take_fresh(self) -> Set[tuple[PublicKey, int]]:
        """Give the boots of devices of which others told copies since this was asked last."""
        with self._lock:
            fresh, self._fresh = self._fresh, set()
        return fresh

    def reach(self, device: PublicKey, boot: int) -> int:
        """Give the number up to which there are copies enough of a boot; -1 if of nothing."""
        with self._lock:
            return self._copies.reach(device, boot)

    def is_elsewhere(self, device: PublicKey) -> bool:
        """Tell whether another gateway stored something of a device."""
        with self._lock:
            return self._copies.has(device)

    def ends_elsewhere(self) -> Mapping[PublicKey, Mapping[PublicKey, Number]]:
        """Tell how far others stored each device's chain."""
        with self._lock:
            return {device: self._copies.ends(device) for device in self._copies.devices()}

    def take_letters(self) -> Sequence[PeerLetter]:
        """Give what others want, and what they lend, since this was asked last."""
        with self._lock:
            letters = list(self._letters)
            self._letters.clear()
        return letters

    def connect(self) -> None:
        """Note that the broker is there: silence counts from now on."""
        with self._lock:
            self._online = True
            for each in self._plants.values():
                each.connect(self._clock.now_ms())

    def disconnect(self) -> None:
        """Note that the broker is away: nothing is held any more."""
        with self._lock:
            self._online = False
            for each in self._plants.values():
                each.disconnect()

    def hear(self, topic: str, raw: bytes) -> bool:
        """Take in what is no reading; tell whether that is so."""
        try:
            if (plant := parse_lease_topic(topic)) is not None:
                self._hear_lease(plant, raw)
            elif (said := parse_copy_topic(topic)) is not None and said[0] in self._peers:
                self._hear_copy(*said, raw)
            elif (asker := parse_want_topic(topic)) is not None and asker in self._peers:
                self._hear_letter(PeerLetter(asker, raw))
            elif parse_loan_topic(topic) == self._keys.ingest.public:
                self._hear_letter(PeerLetter(None, raw))
        except (BadLease, BadReceipt) as fault:
            # Whoever reaches the broker can cause it, once a message: no more than a debug line.
            log.debug("word not taken", topic=topic, why=str(fault))
        return super().hear(topic, raw)

    def _hear_lease(self, plant: str, raw: bytes) -> None:
        lease = read_lease(raw, self._chain_id, self._keys.mmu.public, plant)
        with self._lock:
            if plant in self._plants:
                self._plants[plant].hear(lease, self._clock.now_ms())

    def _hear_letter(self, letter: PeerLetter) -> None:
        """Keep a letter for the ingest; of too many the oldest go, and are asked for again."""
        if len(letter.raw) <= LOAN_BYTES_MAX:
            with self._lock:
                self._letters.append(letter)

    def _hear_copy(self, gateway: PublicKey, device: PublicKey, raw: bytes) -> None:
        said = read_copy(raw, self._chain_id, gateway, device)
        with self._lock:
            self._copies.hear(gateway, device, said.boot, said.seq)
            if len(self._fresh) < FRESH_MAX:
                self._fresh.add((device, said.boot))


def _say_nothing(topic: str, raw: bytes, qos: int) -> None:
    """Say nothing before the start."""
