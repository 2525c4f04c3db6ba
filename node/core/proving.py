"""What a node's store has to say for a finality proof (docs/spec/proofs.md).

Look-ups only, for they run on the validator's own loop: the hashing of a block's trees, which takes
milliseconds, is left to whoever asked. The answer says what this store lacks; another node may have
it.
"""

from collections import OrderedDict
from enum import StrEnum
from typing import Final

from msgspec import Struct

from consensus.messages import MESSAGE_BYTES_MAX, Certificate
from ledger.primitives.codec import decode
from ledger.primitives.hashing import Hash
from ledger.state.tables import parameters
from ledger.store.chain import ChainStore
from ledger.types.block import Header
from node.lightclient import Link, Material
from node.lightclient.types import LINKS_MAX, PATH_HEADERS_MAX

LINKS_KEPT: Final = 2 * LINKS_MAX


class Lack(StrEnum):
    """Why there is no material for a proof: not yet, or not here."""

    NOTHING = ""
    NOT_FINAL = "not_final"
    NO_PROOF = "no_proof"


class ProofAnswer(Struct, frozen=True):
    """The material of a proof, or what it lacks."""

    material: Material | None
    lack: Lack = Lack.NOTHING
    detail: str = ""


class _Missing(Exception):
    """Something that a proof needs is not in this store. The text says what."""


class Prover:
    """Collects the material of proofs from one store. Links never change, so they are kept."""

    def __init__(self, store: ChainStore) -> None:
        self._store = store
        self._links: OrderedDict[int, Link] = OrderedDict()

    def collect(self, txid: Hash, from_epoch: int) -> ProofAnswer:
        """Collect what proves a transaction to whoever knows the committee of an epoch."""
        at = self._store.place_of(txid)
        if at is None:
            return ProofAnswer(None, Lack.NOT_FINAL, "no such transaction is final here")
        try:
            stored = self._store.block(at.height)
            if stored is None:
                raise _Missing(f"the body of block {at.height} was pruned")
            headers, finalization = self._finality(at.height)
            links = self._lead(from_epoch, headers[0].epoch)
        except _Missing as missing:
            return ProofAnswer(None, Lack.NO_PROOF, str(missing))
        return ProofAnswer(
            Material(links, headers, finalization, stored.block, stored.receipts, at.index)
        )

    def _finality(self, height: int) -> tuple[tuple[Header, ...], Certificate]:
        """Find the first finalization at or above a height, and the headers down from there."""
        headers: list[Header] = []
        for at in range(height, height + PATH_HEADERS_MAX + 1):
            header = self._store.header(at)
            if header is None:
                break
            headers.append(header)
            raw = self._store.finalization(at)
            if raw is not None:
                return tuple(headers[::-1]), decode(raw, Certificate, MESSAGE_BYTES_MAX)
        raise _Missing(f"no finalization within {PATH_HEADERS_MAX} blocks above {height} is here")

    def _lead(self, first: int, last: int) -> tuple[Link, ...]:
        """Lead from one epoch to another; nothing if the first is not below the last."""
        if last - first > LINKS_MAX:
            raise _Missing(
                f"{last - first} epochs lie between {first} and {last}, a proof leads over "
                f"{LINKS_MAX}: keep a newer anchor and ask with its epoch"
            )
        return tuple(self._link(epoch) for epoch in range(first, last))

    def _link(self, epoch: int) -> Link:
        if (kept := self._links.get(epoch)) is not None:
            return kept
        height = (epoch + 1) * parameters(self._store).staking.epoch_blocks
        header, raw = self._store.header(height), self._store.finalization(height)
        seats = self._store.committee(epoch + 1)
        if header is None or header.epoch != epoch or raw is None or seats is None:
            raise _Missing(f"what leads from epoch {epoch} to the next is not here any more")
        link = Link(header, decode(raw, Certificate, MESSAGE_BYTES_MAX), seats.seats)
        self._links[epoch] = link
        if len(self._links) > LINKS_KEPT:
            self._links.popitem(last=False)
        return link
