"""Gateways, their clocks, and a broker that loses what it may lose: a world for leases.

A broker sends each gateway what it took in, in its own order, over connections that are slow, and
that are cut without anybody's noticing. Clocks are years apart, and run up to a tenth fast or slow.
"""

from collections import deque

from hypothesis import strategies as st

from iot_minting.gateway.leasing import LeaseRules, PlantLease
from tests.support.ledger.dairy import key

LEASE_MS = 6_000
DRIFT = st.sampled_from([90, 95, 100, 105, 110])
OVERLAP_MAX_MS = LEASE_MS * 100 // 90
"""A lease by the slowest clock."""


class LeaseGateway:
    """A gateway with a clock of its own, and its connection."""

    def __init__(self, number, draw):
        self.name = key(f"gateway {number}").public
        self.offset_ms = draw(st.integers(0, 10**11))
        self.percent = draw(DRIFT)
        self.rules = LeaseRules(self.name, LEASE_MS, draw(st.booleans()))
        self.lease = PlantLease(self.rules)
        self.inbox, self.outbox = deque(), deque()
        self.online = self.stuck = False

    def clock(self, now_ms):
        return self.offset_ms + now_ms * self.percent // 100


class LeaseWorld:
    """Some gateways of one plant, in true time."""

    def __init__(self, draw, count):
        self.draw, self.now_ms, self.retained = draw, 0, None
        self.gateways = [LeaseGateway(number, draw) for number in range(count)]
        self.both_since_ms = None

    def disturb(self):
        """Let something happen, then time go on a little."""
        gateway = self.draw(st.sampled_from(self.gateways))
        match self.draw(st.sampled_from(["", "", "", "cut", "join", "stick", "kill", "lose"])):
            case "cut":
                self.cut(gateway)
            case "join":
                self.join(gateway)
            case "stick":
                gateway.stuck = not gateway.stuck
            case "kill":
                self.cut(gateway)
                gateway.lease = PlantLease(gateway.rules)
            case "lose":
                for each in self.gateways:
                    self.cut(each)
                self.retained = self.draw(st.sampled_from([None, self.retained]))
        self.advance(self.draw(st.integers(1, LEASE_MS)))

    def cut(self, gateway):
        if gateway.online:
            gateway.online = False
            gateway.lease.disconnect()
            gateway.inbox.clear()
            if self.draw(st.booleans()):
                gateway.outbox.clear()  # Else the broker still gets what was on its way.

    def join(self, gateway):
        if not gateway.online:
            gateway.online = True
            gateway.lease.connect(gateway.clock(self.now_ms))
            if self.retained is not None:
                gateway.inbox.append(self.retained)

    def calm(self):
        """End all that disturbs: everybody is connected, and nothing is stuck."""
        for each in self.gateways:
            each.stuck = False
            self.join(each)

    def advance(self, span_ms):
        """Let time go on, in steps that are short beside a lease."""
        end_ms = self.now_ms + span_ms
        while self.now_ms < end_ms:
            self.now_ms = min(end_ms, self.now_ms + LEASE_MS // 24)
            for each in self.gateways:
                self._run(each)
            self.check()

    def _run(self, gateway):
        now_ms = gateway.clock(self.now_ms)
        if not gateway.stuck:
            while gateway.outbox:
                self._publish(gateway.outbox.popleft())
            while gateway.inbox:
                gateway.lease.hear(gateway.inbox.popleft(), now_ms)
        if (word := gateway.lease.tick(now_ms)) is not None:
            gateway.outbox.append(word)

    def _publish(self, word):
        self.retained = word
        for each in self.gateways:
            if each.online:
                each.inbox.append(word)

    def holders(self):
        return [each for each in self.gateways if each.lease.holds(each.clock(self.now_ms))]

    def check(self):
        """Hold that no two believed for as long as a lease that they hold the plant."""
        if len(self.holders()) < 2:
            self.both_since_ms = None
        elif self.both_since_ms is None:
            self.both_since_ms = self.now_ms
        else:
            assert self.now_ms - self.both_since_ms < OVERLAP_MAX_MS
