"""What a network says and what it costs: messages and bytes by kind, and the cores' own CPU.

A meter is a mask that changes nothing, so it sees each message just before the fake network does,
and the trace stays what it was. CPU is that of `Machine.handle` and of the signatures it asks for:
the node's core, without the simulator around it. A core is timed without the simulator's memories,
so that each node pays for every signature and draw that it checks, as in the field.
"""

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Final, assert_never

from consensus.messages import (
    Certificate,
    FetchCertificates,
    FetchProposal,
    FetchView,
    Proposal,
    ViewReport,
    Vote,
)
from ledger.primitives.committee import Member
from ledger.primitives.keys import verify_many
from node.core import effects as node_effects
from node.core.events import Channel, Event
from node.core.machine import Machine
from node.core.wire import Status, decode_consensus, decode_sync
from simulator.virtual.process import Process
from simulator.virtual.signatures import without_memories

KINDS: Final = (
    "votes",
    "certificates",
    "proposals",
    "fetches",
    "transactions",
    "status",
    "block sync",
)


def name_kind(channel: Channel, payload: bytes) -> str:
    """Say of which of the `KINDS` an honest message is."""
    if channel is Channel.TRANSACTIONS:
        return "transactions"
    if channel is Channel.SYNC:
        return "status" if isinstance(decode_sync(payload), Status) else "block sync"
    match decode_consensus(payload):
        case Vote():
            return "votes"
        case Certificate():
            return "certificates"
        case Proposal():
            return "proposals"
        case FetchProposal() | FetchCertificates() | FetchView() | ViewReport():
            return "fetches"
        case unknown:
            assert_never(unknown)


@dataclass(slots=True)
class Meter:
    """Sums over all processes since the last `reset`."""

    messages: Counter[str] = field(default_factory=Counter)
    size_bytes: Counter[str] = field(default_factory=Counter)
    cpu_s: float = 0.0
    """What all cores took together, if `handle` stands where `Environment` runs them."""

    def reset(self) -> None:
        """Begin anew."""
        self.messages.clear()
        self.size_bytes.clear()
        self.cpu_s = 0.0

    def note(self, channel: Channel, payload: bytes, receivers: int) -> None:
        """Count one message to so many receivers."""
        kind = name_kind(channel, payload)
        self.messages[kind] += receivers
        self.size_bytes[kind] += receivers * len(payload)

    def handle(
        self, machine: Machine, event: Event, now_ms: int, clock_ms: int
    ) -> list[node_effects.Effect]:
        """Have a core handle an event, and time it."""
        with without_memories():
            began_s = time.process_time()
            effects = machine.handle(event, now_ms, clock_ms)
            for effect in effects:
                if isinstance(effect, node_effects.Verify):
                    # The process asks again, and gets the answer from memory.
                    verify_many(effect.claims)
            self.cpu_s += time.process_time() - began_s
        return effects


class MessageCounter:
    """The mask of an honest process whose messages are counted."""

    def __init__(self, process: Process, meter: Meter) -> None:
        self._process = process
        self._meter = meter
        members = [other.member for other in process.env.processes]
        self._others = [member for member in members if member != process.member]

    def leaving(
        self, to: Member | None, channel: Channel, payload: bytes
    ) -> list[tuple[Member | None, Channel, bytes]]:
        """Count, and change nothing."""
        receivers = len(self._others) if to is None else self._others.count(to)
        self._meter.note(channel, payload, receivers)
        return [(to, channel, payload)]

    def arriving(self, sender: Member, channel: Channel, payload: bytes) -> bool:
        """Let everything in."""
        return True

    def started(self) -> None:
        """Have nothing to do."""
