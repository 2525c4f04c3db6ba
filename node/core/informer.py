"""Slashable offences of others: kept, shown, and reported by a transaction if an account may pay.

A report is made anew every few blocks until the ledger knows the fault or will hear no more of it,
so it outlives a full pool, a spent nonce and a lost message. The account can lose no more than the
fee of a report that came after another validator's.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from consensus.effects import Misbehaviour
from consensus.journal import Record
from consensus.messages import Vote
from consensus.votes import are_exclusive
from ledger.errors.base import LedgerFault
from ledger.primitives.committee import Committee
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import Address, Policy, SigningKey, address_of
from ledger.rules import Call, check_body
from ledger.rules.epochs import committee_of
from ledger.state.overlay import Reader
from ledger.state.tables import parameters
from ledger.types.staking import SubmitEvidence
from ledger.types.transaction import Intent, Transaction, sign
from node.core.evidence import evidence_of

KEPT_MAX: Final = 256
"""Offences kept; the oldest goes first."""
RETRY_BLOCKS: Final = 8
"""A report that had no effect for so many blocks is made anew, and the old one has expired."""


@dataclass(slots=True)
class _Case:
    """An offence, and the height from which it may be reported; None once that is settled."""

    evidence: SubmitEvidence
    proof: tuple[Vote, Vote]
    due_height: int | None = 0


class Informer:
    """What one node knows of others' slashable offences."""

    def __init__(self, chain_id: Hash, account: SigningKey | None) -> None:
        self._chain_id, self._account = chain_id, account
        self._cases: dict[tuple[bytes, int, int], _Case] = {}

    @property
    def evidence(self) -> tuple[SubmitEvidence, ...]:
        """Give the proof of each offence, oldest first."""
        return tuple(case.evidence for case in self._cases.values())

    @property
    def reporter(self) -> Address | None:
        """Name the account that reports; None if none may."""
        return None if self._account is None else address_of(self._account.public)

    def note(self, committee: Committee, offence: Misbehaviour) -> None:
        """Keep an offence if it is slashable: one a validator and view, the first."""
        evidence = evidence_of(committee, offence)
        if evidence is None or offence.proof is None:
            return
        about, case = evidence.first, _Case(evidence, offence.proof)
        self._cases.setdefault((evidence.validator, about.epoch, about.view), case)
        if len(self._cases) > KEPT_MAX:
            del self._cases[next(iter(self._cases))]

    def recall(self, records: Sequence[Record], reader: Reader) -> None:
        """Find the proofs among a journal's records, also those of views that are long over."""
        seen: dict[tuple[int, int, int], list[Vote]] = {}
        for later in (record for record in records if isinstance(record, Vote)):
            about = later.subject
            earlier = seen.setdefault((about.epoch, about.view, later.signer), [])
            committee = committee_of(reader, about.epoch)
            for vote in earlier if committee is not None else ():
                if committee is not None and are_exclusive(vote.subject, about):
                    self.note(committee, Misbehaviour(later.signer, "", (vote, later)))
            earlier.append(later)

    def unsettled(self) -> Iterator[Vote]:
        """Give the votes of every case that is not done with, to be written down again."""
        return (
            v for case in self._cases.values() if case.due_height is not None for v in case.proof
        )

    def reports(self, reader: Reader, height: int, nonce: int) -> Iterator[Transaction]:
        """Make the reports that are due in the state below `height`, with nonces from `nonce`."""
        if self._account is None:
            return
        for case in self._cases.values():
            if case.due_height is None or case.due_height > height:
                continue
            intent = Intent(
                self._chain_id,
                Policy.single(self._account.public),
                nonce,
                parameters(reader).fee_least_units,
                height + RETRY_BLOCKS - 1,
                case.evidence,
            )
            try:
                check_body(
                    reader, Call(intent.sender.address(), nonce, intent.fee_units), case.evidence
                )
            except LedgerFault:
                case.due_height = None  # Punished already, or past punishing.
                continue
            case.due_height = height + RETRY_BLOCKS
            nonce += 1
            yield sign(intent, self._account)
