"""Who may stay connected: places in all and for each address, and who gives way when they run out.

At a bound the newcomer is not refused if anybody is of less use: first goes who connected and
never sent a whole request, longest first; then who rests between requests, longest first; then
whose body is on its way. Who waits for our answer never gives way. So a flood of silent
connections displaces itself, and a client that asks is served.

Invariant: `held_bytes` is the sum of what the members' unanswered requests brought.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from enum import IntEnum
from typing import Final, Protocol

import structlog

from node.collector import return_memory
from node.httpd.handshakes import Handshakes
from node.httpd.limits import ADDRESS_PART, HttpLimits

SWEEP_S: Final = 1.0
FREED_BYTES_MAX: Final = 8 * 1024 * 1024
"""What requests held and hold no longer, until the machine is given it back."""
REPORT_S: Final = 10.0
"""Cuts are counted, and told in one line this often: an attack must not fill the disk."""

_log = structlog.get_logger("http.admission")


class Usefulness(IntEnum):
    """What a connection is of use for; a lower one gives way first."""

    FRESH = 0
    RESTING = 1
    READING = 2
    WORKING = 3


class Bucket:
    """Connections that count against one bound; those that may give way stand in order."""

    def __init__(self) -> None:
        self.count = 0
        self._queues: tuple[dict[HttpConnection, None], ...] = ({}, {}, {})

    def move(self, member: "HttpConnection", old: Usefulness, new: Usefulness) -> None:
        """Queue a connection last among those of its new usefulness."""
        if old < Usefulness.WORKING:
            self._queues[old].pop(member, None)
        if new < Usefulness.WORKING:
            self._queues[new][member] = None

    def first_to_go(self) -> "HttpConnection | None":
        """Give whom the bucket can do without, or None."""
        for queue in self._queues:
            for member in queue:
                return member
        return None

    def largest_body(self) -> "HttpConnection | None":
        """Give whose unfinished body holds most."""
        return max(
            self._queues[Usefulness.READING], key=lambda member: member.held_bytes, default=None
        )


class HttpConnection(Protocol):
    """A connection, as admission knows it."""

    bucket: Bucket
    usefulness: Usefulness
    held_bytes: int

    def overdue(self, now_s: float) -> str | None:
        """Say why the connection has had its time, or None."""

    def unread_bytes(self) -> int:
        """Give how much is written for the client and not sent yet."""

    def abort(self) -> None:
        """Close at once, whatever is unsent."""


class Admission:
    """The connections of one server. Lives on the server's event loop."""

    def __init__(self, limits: HttpLimits, on_cut: Callable[[str], None] = lambda _: None) -> None:
        self.limits = limits
        self.leaving = False
        """Whether the server ends: each connection ends with its next answer."""
        self.held_bytes = 0
        self._on_cut = on_cut
        self._all = Bucket()
        self._buckets: dict[str, Bucket] = {}
        self._members: dict[HttpConnection, str] = {}
        self._per_address = min(limits.per_address_max, limits.connections_max // ADDRESS_PART)
        self.handshakes = Handshakes(limits.handshakes_max, self._per_address, self.note)
        self._cuts: Counter[str] = Counter()
        self._reported_s = 0.0
        self._freed_bytes = 0
        self._sweeping = False

    def __len__(self) -> int:
        return len(self._members)

    def enter(self, member: HttpConnection, address: str, *, trusted: bool) -> bool:
        """Take a new connection in, if need be in another's place; False if there is none."""
        bucket = self._buckets.get(address) or Bucket()
        limits = self.limits
        if not trusted and bucket.count >= self._per_address and not self._make_room(bucket):
            return False
        if self._all.count >= limits.connections_max and not self._make_room(self._all):
            return False
        self._buckets[address] = member.bucket = bucket
        self._members[member] = address
        for each in (bucket, self._all):
            each.count += 1
            each.move(member, Usefulness.WORKING, member.usefulness)
        if not self._sweeping:
            self._sweeping = True
            asyncio.get_running_loop().call_later(SWEEP_S, self._sweep)
        return True

    def leave(self, member: HttpConnection) -> None:
        """Forget a connection; twice is once."""
        address = self._members.pop(member, None)
        if address is None:
            return
        self.release(member)
        for bucket in (member.bucket, self._all):
            bucket.count -= 1
            bucket.move(member, member.usefulness, Usefulness.WORKING)
        if not member.bucket.count:
            del self._buckets[address]

    def move(self, member: HttpConnection, usefulness: Usefulness) -> None:
        """Note what a connection is of use for now."""
        if member in self._members:
            member.bucket.move(member, member.usefulness, usefulness)
            self._all.move(member, member.usefulness, usefulness)
        member.usefulness = usefulness

    def hold(self, member: HttpConnection, size: int) -> None:
        """Count bytes of a body; past the bound the largest unfinished one is cut."""
        if member not in self._members:
            return
        member.held_bytes += size
        self.held_bytes += size
        while self.held_bytes > self.limits.bodies_bytes_max:
            largest = self._all.largest_body()
            if largest is None:
                return
            self.cut(largest, "bodies too large in all")

    def release(self, member: HttpConnection) -> None:
        """Give back what a connection's requests held."""
        self._freed_bytes += member.held_bytes
        self.held_bytes -= member.held_bytes
        member.held_bytes = 0

    def cut(self, member: HttpConnection, reason: str) -> None:
        """End a connection at once."""
        self.note(reason)
        self._freed_bytes += member.unread_bytes()
        self.leave(member)
        member.abort()

    def note(self, reason: str) -> None:
        """Count a refusal or a cut."""
        self._cuts[reason] += 1
        self._on_cut(reason)

    def _make_room(self, bucket: Bucket) -> bool:
        member = bucket.first_to_go()
        if member is None:
            self.note("no place")
            return False
        self.cut(member, "gave way")
        return True

    def _sweep(self) -> None:
        """Cut whoever is out of time or leaves too much unread, then come again."""
        loop = asyncio.get_running_loop()
        now_s, unread = loop.time(), 0
        if self._freed_bytes > FREED_BYTES_MAX:
            self._freed_bytes = 0
            return_memory()
        for member in list(self._members):
            if reason := member.overdue(now_s):
                self.cut(member, reason)
            else:
                unread += member.unread_bytes()
        while unread > self.limits.unread_bytes_max:
            most = max(self._members, key=lambda member: member.unread_bytes())
            unread -= most.unread_bytes()
            self.cut(most, "unread in all")
        if self._cuts and now_s - self._reported_s >= REPORT_S:
            _log.warning("connections cut", reasons=dict(self._cuts), connected=len(self))
            self._cuts.clear()
            self._reported_s = now_s
        self._sweeping = bool(self._members or self._cuts or self._freed_bytes > FREED_BYTES_MAX)
        if self._sweeping:
            loop.call_later(SWEEP_S, self._sweep)
