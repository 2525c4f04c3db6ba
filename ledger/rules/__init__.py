"""The rules: one module a family of transactions, and the table that leads to them.

| family     | module                   | bodies                                              |
|------------|--------------------------|-----------------------------------------------------|
| fees       | `fees`                   | every transaction                                   |
| transfer   | `transfer`               | Transfer                                            |
| registry   | `registry`               | RegisterDevice                                      |
| milk       | `milk`                   | MintLot (`evidence`, `measure` serve it)            |
| staking    | `staking`, `slashing`    | RegisterValidator, Bond, Unbond, ClaimUnbonded,     |
|            |                          | ClaimRewards, Unjail, SubmitEvidence                |
|            |                          | (`epochs`, `rewards` serve it)                      |

A new body needs three things: its struct in `types.transaction.Body`, a function `apply_...` here
(and `check_...`, for what can be said without a block), and its entry in `LAWS`; a test finds a
body without one.
"""

from typing import Final

from ledger.rules.context import BlockContext, Call
from ledger.rules.epochs import end_epoch
from ledger.rules.milk import apply_mint, check_mint
from ledger.rules.registry import apply_register, check_register
from ledger.rules.slashing import apply_evidence, check_evidence_of_fault
from ledger.rules.staking import (
    apply_bond,
    apply_claim_rewards,
    apply_claim_unbonded,
    apply_register_validator,
    apply_unbond,
    apply_unjail,
    check_bond,
    check_register_validator,
    check_unbond,
)
from ledger.rules.table import Entry, Law
from ledger.rules.transfer import apply_transfer, check_transfer
from ledger.state.overlay import Overlay, Reader
from ledger.types.staking import (
    Bond,
    ClaimRewards,
    ClaimUnbonded,
    RegisterValidator,
    SubmitEvidence,
    Unbond,
    Unjail,
)
from ledger.types.transaction import MintLot, RegisterDevice, Transfer

__all__ = ["LAWS", "BlockContext", "Call", "apply_body", "check_body", "end_block"]

_ENTRIES: Final[tuple[Law, ...]] = (
    Entry(Transfer, apply_transfer, check_transfer),
    # Staking.
    Entry(RegisterValidator, apply_register_validator, check_register_validator),
    Entry(Bond, apply_bond, check_bond),
    Entry(Unbond, apply_unbond, check_unbond),
    Entry(ClaimUnbonded, apply_claim_unbonded),
    Entry(ClaimRewards, apply_claim_rewards),
    Entry(Unjail, apply_unjail),
    Entry(SubmitEvidence, apply_evidence, check_evidence_of_fault),
    # Registry.
    Entry(RegisterDevice, apply_register, check_register),
    # Milk.
    Entry(MintLot, apply_mint, check_mint),
)

LAWS: Final[dict[type[object], Law]] = {entry.kind: entry for entry in _ENTRIES}
"""The law of each type of body."""


def check_body(reader: Reader, call: Call, body: object) -> None:
    """Raise the `Refused` fault that a body would meet now, as far as no block is needed."""
    LAWS[type(body)].check(reader, call, body)


def apply_body(overlay: Overlay, context: BlockContext, call: Call, body: object) -> None:
    """Carry a body out; raise a `Refused` fault, and leave the clearing up to the caller."""
    LAWS[type(body)].apply(overlay, context, call, body)


def end_block(overlay: Overlay, context: BlockContext) -> None:
    """Do what is due after a block's transactions, whatever they were."""
    end_epoch(overlay, context.height)
