"""The audit of what holds epochs together: committees, and what leaders drew.

Walks the headers of a chain once, in order, pruned or not. Seeds are grown again from the draws,
so every proof is verified against the key of the seat that led the header's view. Where a draw is
wrong or a header is gone, the seeds that grow out of it are unknown: what can't be verified for
that is counted, and is no finding of its own.
"""

from functools import cached_property
from typing import Final

import msgspec

from consensus import vrf
from consensus.leader import Schedule, draw_bytes, first_seed
from consensus.vrf import VrfProof
from ledger.genesis import Genesis
from ledger.primitives.committee import Committee
from ledger.primitives.hashing import Domain, Hash, digest
from ledger.primitives.scalars import Epoch, View
from ledger.rules.epochs import epoch_of, is_boundary
from ledger.state.tables import COMMITTEES, parameters
from ledger.store.chain import ChainStore
from ledger.store.schema import COMMITTEE, Head
from ledger.types.block import Header
from node.tools.findings import Findings

UNREADABLE: Final = (msgspec.MsgspecError, ValueError, AssertionError)


class EpochWalk:
    """Committees and draws of one chain."""

    def __init__(
        self, store: ChainStore, head: Head, genesis: Genesis | None, findings: Findings
    ) -> None:
        self._store, self._head, self._genesis = store, head, genesis
        self._tell = findings.tell
        self._by_epoch = self._read_index()
        self._by_hash = {each.hash: each for each in self._told_elsewhere()}
        self._by_hash |= {each.hash: each for each in self._by_epoch.values()}
        first = first_seed(Hash(head.chain_id))
        self._seeds: dict[int, Hash | None] = {0: first, 1: digest(Domain.SEED, first)}
        self._schedules: dict[int, Schedule] = {}
        self._last: Header | None = None
        self.undrawn = 0
        """Draws that could not be verified, for what they build on is wrong or gone."""

    # Committees.

    @cached_property
    def epoch_blocks(self) -> int:
        """Give the length of an epoch; 0 if neither genesis nor state tells of it."""
        if self._genesis is not None:
            return self._genesis.parameters.staking.epoch_blocks
        try:
            return parameters(self._store).staking.epoch_blocks
        except UNREADABLE:
            return 0  # The audit of the state tells of it.

    def _read_index(self) -> dict[int, Committee]:
        found = {}
        for key, raw in self._store.cells(COMMITTEE):
            epoch = int.from_bytes(key[1:], "big")
            try:
                found[epoch] = COMMITTEES.decode(raw)
            except UNREADABLE:
                self._tell(f"committee of epoch {epoch}", "it does not decode")
        return found

    def _told_elsewhere(self) -> list[Committee]:
        """Collect the committees that genesis and state tell of."""
        found = []
        if self._genesis is not None:
            found.append(self._genesis.committee)
        for key, raw in self._store.state():
            if key[:1] != COMMITTEES.prefix:
                continue
            try:
                committee = COMMITTEES.decode(raw)
            except UNREADABLE:
                continue  # The audit of the state tells of it.
            found.append(committee)
            epoch = int.from_bytes(key[1:], "big")
            self._compare(epoch, committee.hash, "the state holds another")
        return found

    def _compare(self, epoch: int, expected: bytes, otherwise: str) -> None:
        indexed = self._by_epoch.get(epoch)
        if indexed is not None and indexed.hash != expected:
            self._tell(f"committee of epoch {epoch}", otherwise)

    def committee(self, header: Header) -> Committee | None:
        """Give the committee that a header commits to, if anything here tells of it."""
        return self._by_hash.get(Hash(header.committee_hash))

    # The walk.

    def header(self, where: str, header: Header) -> None:
        """Check one header; those below it were checked before."""
        before, self._last = self._last, header
        if header.height == 0:
            return
        if self.epoch_blocks and header.epoch != epoch_of(header.height, self.epoch_blocks):
            self._tell(where, f"it is of epoch {header.epoch}, and its height of another")
        if before is None or before.epoch != header.epoch:
            at = f"block {header.height} commits to another"
            self._compare(header.epoch, header.committee_hash, at)
            self._compare(header.epoch + 1, header.next_committee_hash, at)
        self._grow(header.epoch, self._drawn(where, header))

    def gap(self, height: int) -> None:
        """Go on although the header of a height can't be read."""
        self._last = None
        if self.epoch_blocks:
            self._grow(epoch_of(height, self.epoch_blocks), None)

    def end(self) -> None:
        """Tell which committees are missing, and which nobody appointed."""
        if not self.epoch_blocks:
            return
        settled = epoch_of(self._head.height + 1, self.epoch_blocks) + 1
        for epoch in range(settled + 1):
            if self._store.cell(COMMITTEE + epoch.to_bytes(8, "big")) is None:
                self._tell(f"committee of epoch {epoch}", "it is missing")
        surplus = sum(1 for epoch in self._by_epoch if epoch > settled)
        if surplus:
            self._tell("index of committees", f"{surplus} entries that no block accounts for")

    def is_boundary(self, height: int) -> bool:
        """Tell whether a block is the last of its epoch, as far as that can be known."""
        return not self.epoch_blocks or is_boundary(height, self.epoch_blocks)

    # Draws.

    def _drawn(self, where: str, header: Header) -> bytes | None:
        """Give what a header's leader drew; None if that is wrong, or can't be verified."""
        committee, seed = self.committee(header), self._seeds.get(header.epoch)
        if committee is None or seed is None:
            self.undrawn += 1
            return None
        schedule = self._schedules.get(header.epoch)
        if schedule is None:
            schedule = self._schedules[header.epoch] = Schedule(seed, committee)
        leader = schedule.leader(View(header.view))
        alpha = draw_bytes(seed, Epoch(header.epoch), View(header.view))
        drawn = vrf.verify(committee.seats[leader].vrf_key, alpha, VrfProof(header.vrf_proof))
        if drawn is None:
            self._tell(where, f"its VRF proof is not that of the leader of view {header.view}")
        return drawn

    def _grow(self, epoch: int, drawn: bytes | None) -> None:
        so_far = self._seeds.get(epoch + 2, self._seeds.get(epoch + 1))
        if so_far is None or drawn is None:
            self._seeds[epoch + 2] = None
        else:
            self._seeds[epoch + 2] = digest(Domain.SEED, so_far, drawn)
