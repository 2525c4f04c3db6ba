"""The outbox: every run that was cut becomes one mint on the chain, whatever dies in between.

A run is on disk before anything is signed, a signed transaction before it is sent, and the same
bytes are sent until they are final. Only when they can no longer become final (the nonce went to
another transaction, or their height has passed) and the run is not on the chain is it signed
anew. Even then the chain takes a run id, and each reading, once: no run is minted twice.

One run at a time, so nonces never have gaps.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import structlog

from iot_minting.gateway.chain import Chain
from iot_minting.gateway.store import OutboxRun, OutboxState, Store
from ledger.params import Parameters
from ledger.primitives.amounts import Units, format_bill
from ledger.primitives.codec import decode, encode
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import Policy, SigningKey
from ledger.rules.fees import price_intent
from ledger.types.evidence import RunClaim
from ledger.types.milk import Attestation, MintLot
from ledger.types.transaction import TRANSACTION_BYTES_MAX, Intent, sign
from node.client.views import NodeStatus, TransactionState, TransactionView

WAIT_MS: Final = 3_000
"""How long one look at a transaction waits for it to be final."""
SIGNED_ROOM: Final = 1_024
"""Bytes that a transaction needs around its mint: intent, policy and signature."""
LOTS_LOOKED_AT: Final = 1_000
STALE_CODES: Final = frozenset({"bad_nonce", "transaction_expired"})
"""Refusals after which these very bytes can never become final."""
KNOWN_RUN: Final = "known_run"
"""The chain has the run: it was minted by bytes that this outbox no longer remembers."""
PASSING_CODES: Final = frozenset({"future_run"})
"""Failures on the chain that time mends: the run is signed anew."""

log = structlog.get_logger("mint.outbox")


def outbox_entry(
    claim: RunClaim, attestations: Sequence[Attestation], why_held: str, cut_ms: int
) -> OutboxRun:
    """Make the entry of a run that was just cut: to be minted, or held and why."""
    mint = encode(MintLot(claim, tuple(attestations))) if attestations else b""
    if len(mint) > TRANSACTION_BYTES_MAX - SIGNED_ROOM:
        why_held = f"evidence of {len(mint)} bytes is too large"
    return OutboxRun(
        run=claim.run,
        plant=claim.plant,
        line=claim.line,
        state=OutboxState.HELD if why_held else OutboxState.CUT,
        units=claim.units,
        mint=mint,
        raw=b"",
        txid=b"",
        valid_until=0,
        height=0,
        detail=why_held,
        cut_ms=cut_ms,
    )


class MintOutbox:
    """Brings runs onto the chain, in order."""

    def __init__(
        self,
        store: Store,
        chain: Chain,
        chain_id: Hash,
        mmu: SigningKey,
        law: Parameters,
        blocks: int,
    ) -> None:
        self._store = store
        self._chain = chain
        self._chain_id = chain_id
        self._mmu = mmu
        self._policy = Policy.single(mmu.public)
        self._law = law
        self._valid_blocks = blocks

    async def advance(self) -> bool:
        """Take the oldest open run one step on; tell whether there was one that moved."""
        run = self._store.next_run()
        if run is None:
            return False
        if run.state is OutboxState.CUT:
            body = decode(run.mint, MintLot, TRANSACTION_BYTES_MAX)
            status = await self._chain.status()
            # The chain takes a fee for what it refuses: a run of its future waits here.
            if body.claim.ended_ms > status.block_time_ms + self._law.clock_skew_ms_max:
                return False
            run = await self._sign(run, body, status)
        return await self._send(run)

    async def _sign(self, run: OutboxRun, body: MintLot, status: NodeStatus) -> OutboxRun:
        """Sign with the account's next nonce, and keep the bytes before anyone sees them."""
        account = await self._chain.account(self._policy.address())
        valid_until = status.height + self._valid_blocks
        intent = Intent(self._chain_id, self._policy, account.nonce, Units(0), valid_until, body)
        transaction = sign(price_intent(intent, self._law), self._mmu)
        signed = replace(
            run,
            state=OutboxState.SUBMITTED,
            raw=encode(transaction),
            txid=transaction.id,
            valid_until=valid_until,
        )
        self._store.update_run(signed)
        return signed

    async def _send(self, run: OutboxRun) -> bool:
        """Hand the bytes in, and look what became of them."""
        answer = await self._chain.submit(run.raw)
        view = await self._chain.transaction(run.txid, WAIT_MS)
        match view.state:
            case TransactionState.FINAL:
                self._settle(run, view)
                return True
            case TransactionState.PENDING:
                return True
        if answer.code == KNOWN_RUN:
            self._store.update_run(replace(run, state=OutboxState.FINAL, detail=KNOWN_RUN))
            return True
        if answer.code in STALE_CODES or await self._is_past(run):
            return await self._renew(run, answer.code or "transaction_expired")
        if answer.code:
            log.warning("mint not taken in", run=run.run.hex(), code=answer.code, why=answer.detail)
        return False

    def _settle(self, run: OutboxRun, view: TransactionView) -> None:
        if not view.code:
            done = replace(run, state=OutboxState.FINAL, height=view.height)
            log.info("minted", run=run.run.hex(), bill=format_bill(Units(run.units)))
        elif view.code in PASSING_CODES:
            done = replace(run, state=OutboxState.CUT, detail=view.code)
        elif view.code == KNOWN_RUN:
            done = replace(run, state=OutboxState.FINAL, height=view.height, detail=KNOWN_RUN)
        else:
            done = replace(run, state=OutboxState.FAILED, height=view.height, detail=view.code)
            log.error("mint failed", run=run.run.hex(), code=view.code)
        self._store.update_run(done)

    async def _is_past(self, run: OutboxRun) -> bool:
        return (await self._chain.status()).height > run.valid_until

    async def _renew(self, run: OutboxRun, why: str) -> bool:
        """Let a run be signed anew, unless the chain has it."""
        lots = await self._chain.lots(LOTS_LOOKED_AT)
        minted = any(lot.run == run.run for lot in lots)
        state = OutboxState.FINAL if minted else OutboxState.CUT
        log.warning("mint renewed", run=run.run.hex(), why=why, minted=minted)
        self._store.update_run(replace(run, state=state, detail=why))
        return not minted
