"""Replying: an attestor shows a reading that is asked for, where nobody else did in time.

Whoever asks for a reading of a lot must be answered, or all that the lot counted is void. Its
gateway may be dead for good; who signed for the lot has the readings too, and is worth as much as
they are: so it watches final blocks for questions about what it signed, and answers what stays
open. It pays the fee from the account of its key.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import structlog

from iot_minting.attestor.metrics import AttestorMetrics
from iot_minting.attestor.questions import NotedQuestion, QuestionBook, answer_ms
from iot_minting.attestor.store import AttestorStore
from iot_minting.wire.questions import find_questions, name_question, write_answer
from ledger.errors.doubt import NoAnswer, UnknownQuestion
from ledger.params import Parameters
from ledger.primitives.amounts import Units
from ledger.primitives.codec import encode
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import Policy, PublicKey, SigningKey
from ledger.rules.fees import price_intent
from ledger.types.doubt import AskEvidence, ShowEvidence
from ledger.types.transaction import Intent, sign
from node.capped_log import CappedLog
from node.client.errors import ClientFault
from node.client.http import NodeClient
from node.client.views import FinalBlock, TransactionState

LOOK_S: Final = 2.0
RETRY_S: Final = 1.0
SAVE_EVERY_BLOCKS: Final = 20
VALID_BLOCKS: Final = 200
"""How many blocks an answer stays valid before it is signed anew."""
WAIT_MS: Final = 3_000
ANSWER_BYTES: Final = 9 * 1024
"""What an answer takes at most: two envelopes, and what is around them."""
TAKEN_CODES: Final = frozenset({"", "already_known"})
"""What a node says of an answer that may become final."""
HOPELESS_CODES: Final = frozenset({UnknownQuestion.code, NoAnswer.code})
"""What it says of one that never will: others were first, or what is kept answers nothing."""

log = structlog.get_logger("attest.replies")


class Replies:
    """One attestor's answers to questions, over its store and its nodes."""

    def __init__(
        self,
        key: SigningKey,
        chain_id: Hash,
        store: AttestorStore,
        book: QuestionBook,
        nodes: NodeClient,
        metrics: AttestorMetrics,
        now_ms: Callable[[], int],
    ) -> None:
        self._key, self._chain_id, self._policy = key, chain_id, Policy.single(key.public)
        self._store, self._book, self._nodes = store, book, nodes
        self._metrics, self._now_ms = metrics, now_ms
        self._capped, self._chain_ms = CappedLog(log), 0
        self._signers: dict[bytes, tuple[PublicKey, ...]] = {}
        """By open question: who signed for its lot."""

    async def follow(self) -> None:
        """Read every final block for questions, from where that was left; at first, from now on.

        A node that serves no blocks is waited for: windows are judged meanwhile.
        """
        while True:
            try:
                height = self._book.height()
                if height is None:
                    height = (await self._nodes.status()).height
                    self._book.note(height)
                async for block in self._nodes.blocks(height + 1):
                    self.note(block)
            except ClientFault as fault:
                self._capped.log(logging.WARNING, "no blocks to find questions in", why=str(fault))
            await asyncio.sleep(RETRY_S)

    def note(self, block: FinalBlock) -> None:
        """Note which questions about lots that were signed here a block opens and closes."""
        self._chain_ms = block.time_ms
        opened, closed = [], []
        for body in find_questions(block):
            if not isinstance(body, AskEvidence):
                closed.append(name_question(body))
            elif self._store.root_of(Hash(body.lot)) is not None:
                log.warning("reading asked for", lot=body.lot.hex(), device=body.device.hex())
                opened.append(NotedQuestion(body, block.time_ms))
        if opened or closed or block.height % SAVE_EVERY_BLOCKS == 0:
            self._book.note(block.height, opened, closed)

    async def run(self) -> None:
        """Answer what stays open, one question after another."""
        while True:
            try:
                await self.step()
            except ClientFault as fault:
                self._capped.log(logging.WARNING, "questions wait for a node", why=str(fault))
            await asyncio.sleep(LOOK_S)

    async def lack_of_bond(self) -> str:
        """Say what the bond lacks for the attestor's word to count; nothing if it counts."""
        rules = (await self._nodes.parameters()).decoded()
        least = rules.doubt.attestor_bond_least_units
        bond = (await self._nodes.account(self._policy.address())).attestor_bond_units
        return "" if bond >= least else f"it is {bond} units; a word counts from {least}"

    async def lack(self) -> str:
        """Say what the account lacks for the fee of an answer; nothing if it has it."""
        rules = (await self._nodes.parameters()).decoded()
        units = (await self._nodes.account(self._policy.address())).units
        fee = rules.least_fee(ANSWER_BYTES)
        if units >= fee:
            return ""
        return f"it holds {units} units; to answer a question may cost {fee}"

    async def step(self) -> None:
        """Bring the answer that is under way one step on, or begin with the next that is due."""
        questions = self._book.open()
        self._metrics.questions.set(len(questions))
        names = {each.name for each in questions}
        self._signers = {name: keys for name, keys in self._signers.items() if name in names}
        if not questions:
            return
        rules = (await self._nodes.parameters()).decoded()
        going = [each for each in questions if each.raw]
        for question in going or questions:
            if question.raw:
                await self._bring(question)
                return
            if await self._is_due(question, rules) and await self._sign(question, rules):
                return

    async def _is_due(self, question: NotedQuestion, rules: Parameters) -> bool:
        name, key = question.name, self._key.public
        if name not in self._signers:
            self._signers[name] = (await self._nodes.proven(question.asked.lot)).attestors
        signers, time_ms = self._signers[name], rules.doubt.answer_ms
        now_ms = max(self._now_ms(), self._chain_ms)
        return now_ms >= answer_ms(name, question.asked_ms, time_ms, signers, key)

    def _write(self, asked: AskEvidence) -> ShowEvidence | None:
        """Write what answers a question; None if nothing is kept that could."""
        root = self._store.root_of(Hash(asked.lot))
        if root is None:
            return None
        around = self._store.around(root, PublicKey(asked.device), asked.boot, asked.seq)
        return None if around is None else write_answer(asked, *around)

    async def _sign(self, question: NotedQuestion, rules: Parameters) -> bool:
        """Sign an answer, and keep it before anyone sees it; tell whether there is one to send."""
        if (body := self._write(question.asked)) is None:
            return False
        account = await self._nodes.account(self._policy.address())
        valid_until = (await self._nodes.status()).height + VALID_BLOCKS
        intent = Intent(self._chain_id, self._policy, account.nonce, Units(0), valid_until, body)
        intent = price_intent(intent, rules)
        if account.units < intent.fee_units:
            self._capped.log(
                logging.WARNING,
                "no answer: this attestor's account can't pay the fee",
                account=self._policy.address().hex(),
                fee_units=intent.fee_units,
            )
            return False
        made = sign(intent, self._key)
        signed = replace(question, raw=encode(made), txid=made.id, valid_until=valid_until)
        self._book.keep(signed)
        await self._bring(signed)
        return True

    async def _bring(self, question: NotedQuestion) -> None:
        """Send an answer until it is final, or can't become that any more."""
        (told,) = await self._nodes.submit([question.raw])
        view = await self._nodes.transaction(question.txid, WAIT_MS)
        if view.state is TransactionState.FINAL:
            self._settle(question, view.code)
            return
        if told.code in HOPELESS_CODES and view.state is TransactionState.UNKNOWN:
            self._settle(question, told.code)
            return
        over = (await self._nodes.status()).height > question.valid_until
        if over or (told.code not in TAKEN_CODES and view.state is TransactionState.UNKNOWN):
            log.info("answer is to be signed anew", code=told.code or "expired")
            self._book.keep(replace(question, raw=b"", txid=b"", valid_until=0))

    def _settle(self, question: NotedQuestion, code: str) -> None:
        """Be done with a question: it was answered, by us, or before us."""
        self._metrics.replies.labels(code or "shown").inc()
        log.info("question answered", lot=question.asked.lot.hex(), code=code)
        self._book.forget(question)
