"""Pairing a till, and what its manager does to it.

    manager    makes a till           code of 8 letters, 120 s, once
    till       code, commitment       the service's nonce
    till       key, its own nonce     four digits, which the till computes by itself
    manager    sees the same four     confirms; other digits end the pairing
    till       signs a challenge      a token of 15 minutes, again and again

Each act runs in the caller's transaction.
"""

import hmac
import os
from dataclasses import replace
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection
from ulid import ULID

from api.errors import ApiFault, Conflict, Locked, NotFound, Unauthorized, Unprocessable
from api.events.kinds import EventKind
from api.events.outbox import NewEvent, write_events
from api.people.activation import CODE_REFUSED
from api.people.challenges import (
    CHALLENGE_MS,
    KeyChallenge,
    ProofPurpose,
    draw_nonce,
    is_ours,
)
from api.people.codes import PAIRING_LETTERS, code_index, draw_code
from api.people.logins import known_chain
from api.people.means import Means
from api.people.session_store import forget_misses, spend_nonce
from api.terminals.model import TerminalEvent, TerminalRecord, TerminalState
from api.terminals.rules import (
    NONCE_BYTES,
    PAIRING_MS,
    commitment_of,
    match_digits,
    next_state,
)
from api.terminals.schemas import TillCard
from api.terminals.store import (
    add_till,
    change_till,
    current_shift,
    end_shifts,
    find_till,
    lock_till,
    till_by_id,
    till_of_code,
)
from ledger.primitives.keys import PublicKey, Signature, is_sound, verify

_KINDS: Final = {
    TerminalState.ACTIVE: EventKind.TERMINAL_UNLOCKED,
    TerminalState.LOCKED: EventKind.TERMINAL_LOCKED,
    TerminalState.REVOKED: EventKind.TERMINAL_REVOKED,
}
"""What is told of a till that was moved on."""
ANY_UNION = ""
"""A pairing code alone leads to its till: whoever types it knows no union."""


def till_subject(terminal_id: str) -> str:
    """Name what a till's wrong PINs are counted under."""
    return f"till:{terminal_id}"


class TerminalDesk:
    """Pairs tills and moves them."""

    def __init__(self, means: Means) -> None:
        self._means = means

    async def make(
        self, connection: AsyncConnection, union_id: str, merchant_id: str, label: str, letter: str
    ) -> tuple[TerminalRecord, str]:
        """Make a till that waits for its pairing; give it and the code, which is shown once."""
        now_ms, code = self._means.now_ms(), draw_code(PAIRING_LETTERS)
        till = TerminalRecord(
            union_id=union_id,
            merchant_id=merchant_id,
            id=str(ULID()),
            label=label,
            letter=letter,
            state=TerminalState.PAIRING,
            token_version=1,
            commitment=None,
            server_nonce=None,
            public_key=None,
            match="",
            pairing_expires_ms=now_ms + PAIRING_MS,
            created_ms=now_ms,
            paired_ms=None,
        )
        await add_till(connection, till, code_index(self._means.vault, ANY_UNION, code))
        return till, code

    async def pair(
        self, connection: AsyncConnection, code: str, commitment: bytes
    ) -> TerminalRecord:
        """Use a pairing code up for a key that the till has committed to; give the till, with the
        service's nonce."""
        index = code_index(self._means.vault, ANY_UNION, code)
        till = await till_of_code(connection, index)
        now_ms = self._means.now_ms()
        if till is None or now_ms >= till.pairing_expires_ms:
            raise Unauthorized(CODE_REFUSED, code="CODE_REFUSED")
        nonce = os.urandom(NONCE_BYTES)
        shown = {"commitment": commitment, "server_nonce": nonce}
        until_ms = now_ms + PAIRING_MS
        await change_till(
            connection, till, pairing_index=None, pairing_expires_ms=until_ms, **shown
        )
        return replace(till, pairing_expires_ms=until_ms, commitment=commitment, server_nonce=nonce)

    async def show_key(
        self, connection: AsyncConnection, terminal_id: str, public_key: bytes, nonce: bytes
    ) -> TerminalRecord:
        """Take the key that a till has committed to; give the till with its four digits."""
        till = await self._pairing(connection, terminal_id)
        bound = till.commitment is not None and hmac.compare_digest(
            till.commitment, commitment_of(public_key, nonce)
        )
        if not bound or till.server_nonce is None or not is_sound(PublicKey(public_key)):
            raise Unprocessable("this is not the key that was committed to", code="KEY_REFUSED")
        if till.public_key is not None:
            raise Conflict("this till has shown its key already")
        match = match_digits(public_key, nonce, till.server_nonce)
        await change_till(connection, till, public_key=public_key, match=match)
        return replace(till, public_key=public_key, match=match)

    async def _pairing(self, connection: AsyncConnection, terminal_id: str) -> TerminalRecord:
        found = await till_by_id(connection, terminal_id)
        till = found and await lock_till(connection, found.merchant_id, found.id)
        if not till or till.state is not TerminalState.PAIRING:
            raise NotFound("there is no such till to be paired")
        if self._means.now_ms() >= till.pairing_expires_ms:
            raise NotFound("the pairing took too long: begin anew")
        return till

    async def confirm(
        self, connection: AsyncConnection, merchant_id: str, terminal_id: str, match: str
    ) -> TerminalRecord | ApiFault:
        """Let a till in whose digits the manager has read on its screen.

        Other digits mean that somebody stands between: they end the pairing, so the fault is given
        back for the caller to raise once that is committed.
        """
        till = await self._mine(connection, merchant_id, terminal_id)
        late = self._means.now_ms() >= till.pairing_expires_ms
        if till.state is not TerminalState.PAIRING or late or not till.match:
            raise Conflict("this till is not waiting to be confirmed", code="NOT_PAIRING")
        if not hmac.compare_digest(till.match.encode(), match.encode()):
            await write_standing(connection, till, TerminalState.REVOKED, self._means.now_ms())
            return Unprocessable(
                "the till shows other digits: somebody may stand between. This pairing is over: "
                "make a new one",
                code="MATCH_REFUSED",
            )
        now_ms = self._means.now_ms()
        await change_till(connection, till, state=TerminalState.ACTIVE, paired_ms=now_ms)
        paired = replace(till, state=TerminalState.ACTIVE, paired_ms=now_ms)
        await write_events(connection, [told_of_till(EventKind.TERMINAL_PAIRED, paired, now_ms)])
        return paired

    async def move(
        self, connection: AsyncConnection, merchant_id: str, terminal_id: str, event: TerminalEvent
    ) -> TerminalRecord:
        """Lock, unlock or revoke; its tokens and its shift end."""
        till = await self._mine(connection, merchant_id, terminal_id)
        after = next_state(till.state, event)
        if after is None or event is TerminalEvent.CONFIRM:
            raise Conflict(f"a till that is {till.state} can't be told to {event}")
        if event is TerminalEvent.UNLOCK:
            await forget_misses(connection, till.union_id, till_subject(till.id))
        return await write_standing(connection, till, after, self._means.now_ms())

    async def _mine(
        self, connection: AsyncConnection, merchant_id: str, terminal_id: str
    ) -> TerminalRecord:
        till = await lock_till(connection, merchant_id, terminal_id)
        if till is None:
            raise NotFound("there is no such till")
        return till

    async def read(
        self, connection: AsyncConnection, merchant_id: str, terminal_id: str
    ) -> TerminalRecord:
        """Read a till of a merchant; raise `NotFound`."""
        till = await find_till(connection, merchant_id, terminal_id)
        if till is None:
            raise NotFound("there is no such till")
        return till

    def challenge(self, terminal_id: str) -> KeyChallenge:
        """Give what a till signs for its next token."""
        expires_ms = self._means.now_ms() + CHALLENGE_MS
        key = self._means.session_key
        nonce = draw_nonce(key, ProofPurpose.TERMINAL, terminal_id, expires_ms)
        return self._asked(nonce, expires_ms)

    def _asked(self, nonce: bytes, expires_ms: int) -> KeyChallenge:
        return KeyChallenge(
            purpose=ProofPurpose.TERMINAL,
            chain_id=known_chain(self._means),
            host=self._means.host,
            nonce=nonce,
            expires_ms=expires_ms,
        )

    async def token(
        self,
        connection: AsyncConnection,
        terminal_id: str,
        nonce: bytes,
        expires_ms: int,
        signature: bytes,
    ) -> str:
        """Give a till its next token; raise `Unauthorized`, or `Locked` for one that is locked."""
        means = self._means
        till = await till_by_id(connection, terminal_id)
        good = till is not None and is_ours(
            means.session_key,
            ProofPurpose.TERMINAL,
            terminal_id,
            nonce,
            expires_ms,
            means.now_ms(),
        )
        if not good or till is None or till.public_key is None:
            raise Unauthorized("the proof is not good", code="PROOF_REFUSED")
        message = self._asked(nonce, expires_ms).message()
        if not verify(PublicKey(till.public_key), message, Signature(signature)):
            raise Unauthorized("the proof is not good", code="PROOF_REFUSED")
        check_till(till.state)
        if not await spend_nonce(connection, till.union_id, nonce, expires_ms):
            raise Unauthorized("the proof is not good", code="PROOF_REFUSED")
        shift = await current_shift(connection, till.merchant_id, till.id)
        return means.tokens.for_terminal(
            till.union_id,
            till.merchant_id,
            till.id,
            till.token_version,
            "" if shift is None else shift.id,
        )


async def write_standing(
    connection: AsyncConnection, till: TerminalRecord, after: TerminalState, now_ms: int
) -> TerminalRecord:
    """Move a locked till on, and tell of it; its tokens and its shift end."""
    version = till.token_version + 1
    await change_till(connection, till, state=after, token_version=version)
    await end_shifts(connection, till.merchant_id, till.id, now_ms)
    moved = replace(till, state=after, token_version=version)
    await write_events(connection, [told_of_till(_KINDS[after], moved, now_ms)])
    return moved


def told_of_till(kind: EventKind, till: TerminalRecord, at_ms: int) -> NewEvent:
    """Make the event that tells what became of a till."""
    card = TillCard(till.id, till.label, till.letter, till.state)
    return NewEvent(kind, till.merchant_id, till.id, {"terminal": card}, at_ms)


def check_till(state: TerminalState) -> None:
    """Raise `Locked` or `Unauthorized` unless a till is active."""
    match state:
        case TerminalState.ACTIVE:
            return
        case TerminalState.LOCKED:
            raise Locked("this till is locked: its manager unlocks it", code="TERMINAL_LOCKED")
    raise Unauthorized("this till is not paired", code="TERMINAL_REVOKED")
