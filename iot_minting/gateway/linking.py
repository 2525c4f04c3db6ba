"""The ingest's judgement: an envelope is taken if it links to the one before.

Pure and synchronous: `judge(topic, raw, arrival_ms)` gives verdicts; the shell makes them durable,
then acknowledges, then receipts. Whatever a registered device signs and links is evidence,
tampered, out of calibration or implausible as it may be: the law judges it, and a window must show
every envelope, so nothing that was measured may be missing here.

- An envelope is next if `previous` names the last one stored of its device: the number after it in
  the same boot, or the first of a later boot. Or if it names the device's tip on the chain, which
  is ahead of a store that came from a backup.
- A device that lost its journal begins a new chain: `previous` is zeros, in a later boot. That is
  taken too; nothing counts across it.
- One that names another envelope waits for that one, in memory only, for `WAITING_MS`.
- A device that brings more samples than its allowance is put off: its next envelope is not taken
  now, nor do later ones wait for it. It has no receipt for them, so it sends them again.

Invariant: what is stored of a device is one chain, in order of (boot, number).
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, Protocol

from iot_minting.errors import (
    BrokenChain,
    MissingPredecessor,
    OvertakenBoot,
    Refusal,
    ReplayedSequence,
)
from iot_minting.gateway.allowance import Allowance, device_allowance
from iot_minting.gateway.authenticity import Opened, check_sender, open_envelope
from iot_minting.gateway.pieces import BEGINNING, ChainFloor, done_with
from iot_minting.gateway.registry import Registry
from iot_minting.gateway.verdicts import (
    Accepted,
    Arrival,
    PutOff,
    RefusedEnvelope,
    Repeated,
    Verdict,
    quarantined,
)
from iot_minting.wire.receipts import COUNT_MAX, SettledEnvelope
from iot_minting.wire.topics import parse_topic, readings_topic
from ledger.primitives.codec import encode
from ledger.primitives.hashing import ZERO_HASH, Hash
from ledger.primitives.keys import PublicKey
from ledger.state.lines import Tip
from ledger.types.reading import READING_VERSION, Envelope, Reading

WAITING_MAX: Final = 256
"""Envelopes of one device that may wait for an earlier one."""
WAITING_MS: Final = 30_000
LENT: Final = "lent"
"""The line in the topic of what another gateway lent: it came over none of its device's."""
RECENT_MAX: Final = 1_024
"""Digests of a device kept in memory; the archive knows the older ones."""


@dataclass(frozen=True, slots=True)
class ChainEnd:
    """The last envelope that is stored of a device."""

    device: PublicKey
    boot: int
    seq: int
    digest: Hash


@dataclass(slots=True)
class _Chain:
    """One device: where its chain stands, and what waits, by the envelope that it waits for."""

    allowance: Allowance
    boot: int = -1
    seq: int = -1
    digest: Hash = ZERO_HASH
    recent: "OrderedDict[tuple[int, int], Hash]" = field(default_factory=OrderedDict)
    waiting: "dict[Hash, Opened]" = field(default_factory=dict)
    is_put_off: bool = False

    @property
    def number(self) -> tuple[int, int]:
        return self.boot, self.seq

    def advance(self, reading: Reading, digest: Hash) -> None:
        self.boot, self.seq, self.digest = reading.boot, reading.seq, digest
        self.recent[self.number] = digest
        if len(self.recent) > RECENT_MAX:
            self.recent.popitem(last=False)

    def affords(self, opened: Opened) -> bool:
        """Tell whether the next envelope may be taken now; if not, nothing waits behind it."""
        count, arrival_ms = len(opened.reading.samples), opened.arrival.arrival_ms
        self.is_put_off = not self.allowance.take(count, arrival_ms)
        if self.is_put_off:
            self.waiting.clear()
        return not self.is_put_off


class KnownChains(Protocol):
    """What is stored of devices' chains."""

    def digest_of(self, device: PublicKey, boot: int, seq: int) -> Hash | None:
        """Give the digest of a stored envelope."""
        ...

    def last_seq(self, device: PublicKey, boot: int) -> int:
        """Give the last number that is stored of a boot; -1 if nothing is."""
        ...


FindTip = Callable[[PublicKey], Tip | None]
"""Gives where a device's chain stands on the chain, as of the last final block that was seen."""


class LinkJudge:
    """Judges envelopes by their links. Give it the ends of the chains that the archive holds."""

    def __init__(
        self,
        chain_id: Hash,
        registry: Registry,
        shelf: KnownChains,
        ends: Iterable[ChainEnd] = (),
        tip: FindTip = lambda device: None,
        allowance: Callable[[], Allowance] = device_allowance,
    ) -> None:
        self._chain_id = chain_id
        self._registry = registry
        self._shelf = shelf
        self._tip = tip
        self._allowance = allowance
        self._chains = {
            end.device: _Chain(
                allowance(),
                end.boot,
                end.seq,
                end.digest,
                OrderedDict({(end.boot, end.seq): end.digest}),
            )
            for end in ends
        }

    def newest(self, device: PublicKey) -> int | None:
        """Give the boot in which a device's chain stands; None if nothing is stored of it."""
        chain = self._chains.get(device)
        return None if chain is None or chain.boot < 0 else chain.boot

    def plant(self, device: PublicKey) -> str:
        """Name the plant of a device; nothing if it is not registered."""
        found = self._registry.find(device)
        return "" if found is None else found.plant

    def settled(
        self, device: PublicKey, boot: int, seq_max: int = COUNT_MAX
    ) -> SettledEnvelope | None:
        """Give the last envelope of a boot up to a number that is stored; None if nothing is."""
        chain = self._chains.get(device)
        if chain is not None and chain.boot == boot and chain.seq <= seq_max:
            return SettledEnvelope(boot, chain.seq, chain.digest)
        seq = min(self._shelf.last_seq(device, boot), seq_max)
        digest = self._shelf.digest_of(device, boot, seq)
        return None if digest is None else SettledEnvelope(boot, seq, digest)

    def judge(self, topic: str, raw: bytes, arrival_ms: int) -> list[Verdict]:
        """Judge one envelope, and those that waited for it. None at all means that it waits."""
        arrival = Arrival(topic, raw, arrival_ms)
        reading: Reading | None = None
        try:
            opened = open_envelope(arrival, READING_VERSION)
            reading = opened.reading
            device = check_sender(self._chain_id, self._registry, opened)
            return self._link(self._chain(device.key), opened)
        except Refusal as refusal:
            return [RefusedEnvelope(quarantined(refusal, arrival, reading))]

    def end(self, device: PublicKey) -> tuple[int, int]:
        """Give the last number that is stored of a device; below every number if nothing is."""
        chain = self._chains.get(device)
        return BEGINNING if chain is None else chain.number

    def adopt(self, envelope: Envelope, floor: ChainFloor, arrival_ms: int) -> list[Verdict]:
        """Take what another gateway lends of a device, if it is next; nothing else moves anything.

        Where nothing is stored that the chain of blocks is not done with, a device that no window
        has linked may begin with it. The lender is believed in nothing but that it skips none.
        """
        reading = envelope.reading()
        place = readings_topic(self.plant(reading.device) or "?", LENT, reading.device)
        opened = Opened(
            Arrival(place, encode(envelope), arrival_ms), parse_topic(place), envelope, reading
        )
        try:
            chain = self._chain(check_sender(self._chain_id, self._registry, opened).key)
            if opened.number <= chain.number:
                return []
            begins = chain.number <= floor.done < opened.number
            begins = begins and floor.digest in {None, reading.previous}
            if not (begins or self._is_next(chain, reading)):
                return []
        except Refusal:
            return []
        return self._take_on(chain, opened)

    def _chain(self, device: PublicKey) -> _Chain:
        if (chain := self._chains.get(device)) is None:
            chain = self._chains[device] = _Chain(self._allowance())
        return chain

    def expire(self, now_ms: int) -> list[Verdict]:
        """Refuse what has waited too long for the envelope before it."""
        verdicts: list[Verdict] = []
        for chain in self._chains.values():
            late = [
                (previous, opened)
                for previous, opened in chain.waiting.items()
                if now_ms - opened.arrival.arrival_ms >= WAITING_MS
            ]
            for previous, opened in sorted(late, key=lambda each: each[1].number):
                del chain.waiting[previous]
                verdicts.append(_missing(chain, opened))
        return verdicts

    def _link(self, chain: _Chain, opened: Opened) -> list[Verdict]:
        if opened.number <= chain.number:
            return [self._repeat(chain, opened)]
        if not self._is_next(chain, opened.reading):
            return [PutOff(opened.reading.device)] if chain.is_put_off else _wait(chain, opened)
        if not chain.affords(opened):
            return [PutOff(opened.reading.device)]
        return self._take_on(chain, opened)

    def _take_on(self, chain: _Chain, opened: Opened) -> list[Verdict]:
        """Take an envelope, and those that waited for it."""
        verdicts: list[Verdict] = [_take(chain, opened)]
        while (following := chain.waiting.pop(chain.digest, None)) is not None:
            try:
                self._is_next(chain, following.reading)
            except BrokenChain as fault:
                entry = quarantined(fault, following.arrival, following.reading)
                verdicts.append(RefusedEnvelope(entry))
            else:
                fits = chain.affords(following)
                verdicts.append(_take(chain, following) if fits else PutOff(opened.reading.device))
        return verdicts

    def _is_next(self, chain: _Chain, reading: Reading) -> bool:
        """Tell whether an envelope is a device's next; raise if it can never be."""
        follows = reading.seq == chain.seq + 1 if reading.boot == chain.boot else reading.seq == 0
        links = reading.previous == chain.digest
        begins = reading.previous == ZERO_HASH
        if follows and (links or (begins and reading.boot > chain.boot)):
            return True
        if links or begins or (follows and reading.boot == chain.boot):
            raise BrokenChain(reading.boot, reading.seq, chain.digest, reading.previous)
        tip = self._tip(reading.device)
        return (
            tip is not None
            and tip.digest == reading.previous
            and chain.number < done_with(tip) < (reading.boot, reading.seq)
        )

    def _repeat(self, chain: _Chain, opened: Opened) -> Verdict:
        """Tell an envelope that is stored from another one under a number that is passed."""
        boot, seq = opened.number
        known = chain.recent.get(opened.number) or self._shelf.digest_of(
            opened.reading.device, boot, seq
        )
        same = known == opened.envelope.digest()
        if known is None and boot < chain.boot:
            raise OvertakenBoot(boot, seq, chain.boot)
        fault = ReplayedSequence(boot, seq, chain.seq, same=same)
        entry = quarantined(fault, opened.arrival, opened.reading)
        return Repeated(entry) if same else RefusedEnvelope(entry)


def _wait(chain: _Chain, opened: Opened) -> list[Verdict]:
    previous = opened.reading.previous
    if previous not in chain.waiting and len(chain.waiting) >= WAITING_MAX:
        return [_missing(chain, opened)]
    chain.waiting.setdefault(previous, opened)
    return []


def _missing(chain: _Chain, opened: Opened) -> RefusedEnvelope:
    fault = MissingPredecessor(*opened.number, chain.seq + 1)
    return RefusedEnvelope(quarantined(fault, opened.arrival, opened.reading))


def _take(chain: _Chain, opened: Opened) -> Accepted:
    digest = opened.envelope.digest()
    chain.advance(opened.reading, digest)
    return Accepted(opened.stored(digest))
