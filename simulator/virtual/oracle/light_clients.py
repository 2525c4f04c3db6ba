"""Light clients, which trust the genesis alone: every true proof must verify, and no lie.

At the end of a seed some final transactions, of all epochs, are proven from honest nodes' stores
and verified by `node.lightclient` from the genesis on. Each proof is then forged in ways that
would pay: the receipt of another outcome, another block's finalization, another epoch's votes. A
forged proof that verifies is a breach. Where a coalition forked the chain, the proofs of its two
sides must raise the alarm, and blame nobody honest.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations
from random import Random
from typing import Final

from msgspec.structs import replace

from consensus.messages import Certificate
from ledger.primitives.codec import encode
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import PublicKey
from ledger.primitives.scalars import Epoch
from ledger.types.transaction import TxId
from node.core.proving import Prover
from node.lightclient import (
    Anchor,
    Proof,
    ProofFault,
    anchor_of,
    find_fork,
    make_proof,
    verify_proof,
)
from simulator.virtual.disk import CellStore
from simulator.virtual.errors import Breach
from simulator.virtual.topology import BEGIN_MS, Topology

LAW: Final = "LIGHT"
PROOFS_A_SEED: Final = 4
TRUST_MS: Final = 10**9


class LightClients:
    """Those who trust the genesis and run no node."""

    def __init__(self, topology: Topology, chance: Random) -> None:
        self._anchor: Anchor = anchor_of(topology.genesis)
        self._chance = chance

    def check(self, stores: Sequence[CellStore], transactions: dict[bytes, int]) -> int:
        """Have some transactions proven and verified; give how many were."""
        heights = sorted((height, txid) for txid, height in transactions.items())
        chosen = self._chance.sample(heights, min(PROOFS_A_SEED, len(heights)))
        proven = 0
        for height, txid in chosen:
            able = [store for store in stores if _height(store) >= height]
            if not able:
                continue
            proof = self._prove(self._chance.choice(able), Hash(txid))
            self._verify(proof, Hash(txid), height)
            for what, forged in self._forgeries(proof):
                self._refuse(what, forged, height)
            proven += 1
        return proven

    def _prove(self, store: CellStore, txid: Hash) -> Proof:
        answer = Prover(store).collect(txid, self._anchor.epoch)
        if answer.material is None:
            raise Breach(LAW, f"an honest node can't prove {txid.hex()[:8]}: {answer.detail}")
        return make_proof(answer.material)

    def _verify(self, proof: Proof, txid: Hash, height: int) -> None:
        try:
            found = verify_proof(encode(proof), self._anchor, self._now_ms(proof), TRUST_MS)
        except ProofFault as fault:
            what = f"the proof of {txid.hex()[:8]}, final at height {height}, is refused: {fault}"
            raise Breach(LAW, what) from fault
        if (found.txid, found.block.height) != (TxId(txid), height):
            raise Breach(LAW, f"a proof of height {height} proves something else")

    @staticmethod
    def _now_ms(proof: Proof) -> int:
        return max(BEGIN_MS, proof.header.time_ms)

    def _refuse(self, what: str, forged: Proof, height: int) -> None:
        try:
            verify_proof(encode(forged), self._anchor, self._now_ms(forged), TRUST_MS)
        except ProofFault:
            return
        raise Breach(LAW, f"a forged proof of height {height} verifies: {what}")

    def _forgeries(self, proof: Proof) -> Iterator[tuple[str, Proof]]:
        """Forge a proof in each way that is possible here."""
        code = "" if proof.receipt.code else "too_little_money"
        yield "another outcome", replace(proof, receipt=replace(proof.receipt, code=code))
        yield (
            "another state",
            replace(proof, header=replace(proof.header, state_root=Hash(bytes(32)))),
        )
        about, votes = proof.finalization.subject, proof.finalization.votes
        yield (
            "too few votes",
            replace(proof, finalization=Certificate(about, votes[:-1] or votes * 2)),
        )
        later = replace(about, epoch=Epoch(about.epoch + 1))
        yield "another epoch's votes", replace(proof, finalization=Certificate(later, votes))
        if proof.links:
            yield "a link left out", replace(proof, links=proof.links[1:])
            last = proof.links[-1]
            richer = (replace(last.seats[0], stake=last.seats[0].stake + 1), *last.seats[1:])
            links = (*proof.links[:-1], replace(last, seats=richer))
            yield "seats with other stakes", replace(proof, links=links)
            other = replace(proof, finalization=last.finalization)
            yield "another block's finalization", other

    # Forks.

    def expect_alarm(self, stores: Sequence[CellStore], liars: set[PublicKey]) -> bool:
        """Raise the alarm over two sides' proofs; tell whether both sides had any to show."""
        for one, other in combinations(stores, 2):
            pair = self._rivals(one, other)
            if pair is None:
                continue
            now_ms = max(map(self._now_ms, pair))
            first, second = map(encode, pair)
            fork = find_fork(first, second, self._anchor, now_ms, TRUST_MS)
            if fork is None:
                raise Breach(LAW, "two proofs contradict each other, and no alarm is raised")
            if not any(key in liars for key in fork.signers):
                raise Breach(LAW, "two quorums overlap, and the alarm names no liar")
            blamed = {vote.key for vote in fork.evidence}
            if blamed - liars:
                raise Breach(LAW, "the alarm's evidence blames somebody honest")
            return True
        return False

    def _rivals(self, one: CellStore, other: CellStore) -> tuple[Proof, Proof] | None:
        """Find proofs from two stores that make different blocks of one height final."""
        top = min(_height(one), _height(other))
        for height in range(1, top + 1):
            proofs = [self._first_at(store, height) for store in (one, other)]
            headers = [store.header(height) for store in (one, other)]
            if headers[0] != headers[1] and proofs[0] is not None and proofs[1] is not None:
                return proofs[0], proofs[1]
        return None

    def _first_at(self, store: CellStore, height: int) -> Proof | None:
        block = store.block(height)
        if block is None or not block.receipts:
            return None
        return self._prove(store, Hash(block.receipts[0].txid))


def _height(store: CellStore) -> int:
    head = store.head()
    return 0 if head is None else head.height
