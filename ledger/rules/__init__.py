"""The rules: one module a family of transactions, and the table that leads to them.

| family     | module       | bodies                                     |
|------------|--------------|--------------------------------------------|
| fees       | `fees`       | every transaction                          |
| transfer   | `transfer`   | Transfer                                   |
| registry   | `registry`   | RegisterDevice                             |
| milk       | `milk`       | MintLot (`evidence`, `measure` serve it)   |
| staking    | to come      |                                            |
| price      | to come      |                                            |
| subsidy    | to come      |                                            |
| market     | to come      |                                            |
| mandate    | to come      |                                            |
| governance | to come      |                                            |

A new body needs three things: its struct in `types.transaction.Body`, a module here with
`check_...` (what can be said without a block) and `apply_...`, and its case in each of the two
functions below; mypy finds a case that is missing.
"""

from typing import assert_never

from ledger.primitives.keys import Address
from ledger.rules.context import BlockContext
from ledger.rules.milk import apply_mint, check_mint
from ledger.rules.registry import apply_register, check_register
from ledger.rules.transfer import apply_transfer, check_transfer
from ledger.state.overlay import Overlay, Reader
from ledger.types.transaction import Intent, MintLot, RegisterDevice, Transfer

__all__ = ["BlockContext", "apply_body", "check_body"]


def check_body(reader: Reader, sender: Address, intent: Intent) -> None:
    """Raise the `Refused` fault that a body would meet now, as far as no block is needed."""
    match intent.body:
        case Transfer() as body:
            check_transfer(reader, sender, body, intent.fee)
        case MintLot() as body:
            check_mint(reader, sender, body)
        case RegisterDevice() as body:
            check_register(reader, sender, body)
        case _ as never:
            assert_never(never)


def apply_body(overlay: Overlay, context: BlockContext, sender: Address, intent: Intent) -> None:
    """Carry a body out; raise a `Refused` fault, and leave the clearing up to the caller."""
    match intent.body:
        case Transfer() as body:
            apply_transfer(overlay, context, sender, body)
        case MintLot() as body:
            apply_mint(overlay, context, sender, body)
        case RegisterDevice() as body:
            apply_register(overlay, context, sender, body)
        case _ as never:
            assert_never(never)
