"""A desk over a real store, with a judge and a node that can be watched."""

import asyncio

from iot_minting.attestor.desk import AttestorDesk
from iot_minting.attestor.metrics import AttestorMetrics
from iot_minting.attestor.store import AttestorStore
from ledger.params import DAY_MS
from tests.support.evidence.rig import CHAIN, START_MS, LineRig
from tests.support.ledger.dairy import key
from tests.support.minting.windows import (
    InlineJudge,
    RigFacts,
)

ATTESTOR = key("attestor-0")
RETENTION_MS = 30 * DAY_MS
NOW_MS = START_MS + DAY_MS


class Bench:
    """A desk over a real store, with a judge that can be watched."""

    def __init__(self, home, rig=None, store_bytes_max=2**40):
        self.rig = rig or LineRig()
        self.store = AttestorStore(home / "attestor.sqlite")
        self.store_bytes_max = store_bytes_max
        self.facts, self.judge, self.now_ms = RigFacts(self.rig), InlineJudge(), NOW_MS
        self.desk = AttestorDesk(
            ATTESTOR,
            CHAIN,
            self.store,
            self.facts,
            self.judge,
            AttestorMetrics(),
            now_ms=lambda: self.now_ms,
            retention_ms=RETENTION_MS,
            store_bytes_max=store_bytes_max,
        )

    def answer(self, window, height=0):
        raw = window if isinstance(window, bytes) else window.request(height)
        return asyncio.run(self.desk.answer(raw))

    def sign(self, window, height=0):
        given = self.answer(window, height)
        assert given.refusal is None, given.refusal
        return given.attestation

    def refuse(self, window, height=0):
        given = self.answer(window, height)
        assert given.attestation is None
        return given.refusal

    def sweep(self):
        asyncio.run(self.desk.keeping.sweep())
