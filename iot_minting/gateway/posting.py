"""Posting: letters become final, each once, whatever dies in between.

Letters are signed together with nonces that follow each other, sent in that order, and none before
the one ahead of it was taken in: so a letter that is refused leaves no gap behind which others
wait. The same bytes are sent until they are final. They are given up only when they can't become
final any more (their nonce is used, their height has passed) or were never taken in by anyone.
What the law then finds on the chain already it refuses, for a fee: nothing counts twice.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import structlog

from iot_minting.gateway.chain import Chain
from iot_minting.gateway.letters import Letter, Letters, LetterState, What
from ledger.params import Parameters
from ledger.primitives.amounts import Units
from ledger.primitives.codec import decode, encode
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import Policy, SigningKey
from ledger.rules.fees import price_intent
from ledger.types.doubt import ShowEvidence
from ledger.types.line import ReportTamper
from ledger.types.transaction import TRANSACTION_BYTES_MAX, Intent, sign
from ledger.types.window import CollectMilk, MintWindow
from node.client.views import TransactionState

WAVE_MAX: Final = 16
"""Letters that are under way at once."""
LEASE_LOST: Final = "lease_lost"
"""Why a letter is given up that another gateway is to bring."""
WAIT_MS: Final = 3_000
"""How long one look at the last letter of a wave waits for it to be final."""
STALE_CODES: Final = frozenset({"bad_nonce", "transaction_expired"})
"""Refusals after which these very bytes can never become final."""
TAKEN_CODES: Final = frozenset({"", "already_known"})
"""Answers to bytes that are in a pool, or in a block."""

log = structlog.get_logger("mint.posting")


LetterBody = CollectMilk | MintWindow | ReportTamper | ShowEvidence

_BODIES: Final[dict[What, type[LetterBody]]] = {
    What.COLLECTION: CollectMilk,
    What.WINDOW: MintWindow,
    What.TAMPERING: ReportTamper,
    What.ANSWER: ShowEvidence,
}


def read_body(letter: Letter) -> LetterBody:
    """Read the body of a transaction that a letter brings."""
    kind = _BODIES[letter.what]
    return decode(letter.body, kind, TRANSACTION_BYTES_MAX)


class Post:
    """Brings letters onto the chain, in order, some at a time."""

    def __init__(
        self,
        letters: Letters,
        chain: Chain,
        chain_id: Hash,
        mmu: SigningKey,
        valid_blocks: int,
        may_bring: Callable[[Letter], bool] = lambda letter: True,
    ) -> None:
        self._letters = letters
        self._chain = chain
        self._chain_id = chain_id
        self._mmu = mmu
        self._policy = Policy.single(mmu.public)
        self._valid_blocks = valid_blocks
        self._may_bring = may_bring

    async def advance(self, law: Parameters) -> list[Letter]:
        """Take the open letters one step on; give those that are done with.

        Letters of plants that another gateway acts for are given up, unless somebody saw them.
        """
        withdrawn = self._withdraw()
        going = [each for each in self._letters.open() if each.state is not LetterState.WRITTEN]
        if not going:
            going = await self._sign(law)
        return [*withdrawn, *(await self._send(going) if going else [])]

    def _withdraw(self) -> list[Letter]:
        gone = [
            replace(each, state=LetterState.FAILED, detail=LEASE_LOST)
            for each in self._letters.open()
            if each.state is LetterState.WRITTEN and not self._may_bring(each)
        ]
        if gone:
            self._letters.update(*gone)
        return gone

    async def _sign(self, law: Parameters) -> list[Letter]:
        """Sign a wave, and keep the bytes before anyone sees them."""
        written = self._letters.open()[:WAVE_MAX]
        if not written:
            return []
        account = await self._chain.account(self._policy.address())
        valid_until = (await self._chain.status()).height + self._valid_blocks
        wave = []
        for place, letter in enumerate(written):
            body = read_body(letter)
            nonce = account.nonce + place
            intent = Intent(self._chain_id, self._policy, nonce, Units(0), valid_until, body)
            transaction = sign(price_intent(intent, law), self._mmu)
            wave.append(
                replace(
                    letter,
                    state=LetterState.SIGNED,
                    raw=encode(transaction),
                    txid=transaction.id,
                    valid_until=valid_until,
                )
            )
        self._letters.update(*wave)
        return wave

    async def _send(self, wave: list[Letter]) -> list[Letter]:
        """Hand a wave in, and look what became of it."""
        codes = await self._hand_in(wave)
        changes: list[Letter] = []
        for letter in wave:
            if letter.number not in codes:
                # It was never handed in, behind one that was refused: it is signed anew.
                if letter.state is LetterState.SIGNED:
                    changes.append(replace(letter, state=LetterState.WRITTEN))
                continue
            wait_ms = WAIT_MS if letter.number == max(codes) else 0
            if (changed := await self._look(letter, codes[letter.number], wait_ms)) is not None:
                changes.append(changed)
        self._letters.update(*changes)
        return [each for each in changes if each.state is not LetterState.WRITTEN]

    async def _hand_in(self, wave: list[Letter]) -> dict[int, str]:
        """Hand letters in, in order, up to the first that is refused or not ours; tell answers."""
        codes: dict[int, str] = {}
        for letter in wave:
            if letter.state is LetterState.SIGNED and not self._may_bring(letter):
                break
            code = codes[letter.number] = (await self._chain.submit(letter.raw)).code
            if code not in TAKEN_CODES:
                break
            if letter.state is LetterState.SIGNED:
                self._letters.update(replace(letter, state=LetterState.SENT))
        return codes

    async def _look(self, letter: Letter, code: str, wait_ms: int) -> Letter | None:
        """Say what became of a letter; None while it is under way."""
        view = await self._chain.transaction(letter.txid, wait_ms)
        if view.state is TransactionState.FINAL:
            state = LetterState.FAILED if view.code else LetterState.FINAL
            return replace(letter, state=state, height=view.height, detail=view.code)
        if view.state is TransactionState.PENDING or code in TAKEN_CODES:
            return None
        if code in STALE_CODES:
            return replace(letter, state=LetterState.WRITTEN, detail=code)
        if letter.state is LetterState.SIGNED:
            return replace(letter, state=LetterState.FAILED, detail=code)
        log.warning("letter not taken in again", what=letter.what, code=code)
        return None
