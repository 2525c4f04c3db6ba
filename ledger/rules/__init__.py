"""The rules: a module or more a family of transactions, and the table that leads to them.

| family     | its laws are in                                    | which these serve             |
|------------|----------------------------------------------------|-------------------------------|
| all        |                                                    | `law`, `context`, `fees`,     |
|            |                                                    | `claims`                      |
| transfer   | `transfer`                                         |                               |
| registry   | `registry`                                         |                               |
| milk       | `lots`, `losses`, `challenges`                     | `measure`, `books`            |
| tank       | `collecting`                                      | `portions`, `metering`        |
| doubt      | `refuting`, `questions`                            | `doubts`, `fraud`, `vouchers` |
| window     | `minting`                                          | `windows`, `intervals`,       |
|            |                                                    | `window_lots`, `vouching`,    |
|            |                                                    | `quorum`, `split`             |
| staking    | `staking`, `slashing`                              | `epochs`, `rewards`           |
| price      | `price`, `subsidy`                                 |                               |
| market     | `market`                                           |                               |
| mandate    | `mandate`                                          |                               |
| governance | `governance`                                       |                               |
| line       | `lines`, `devices`, `permits`                      |                               |

A new body stands in its family's union in `ledger.types`, and its law in the family's laws here:
who may send it, what it does, whom it names, which signatures it shows. A body without a law, or
a law without a body, stops the import. What is due after a block is in `end_block`.
"""

from typing import Final, get_args

from ledger.primitives.hashing import Hash
from ledger.primitives.keys import Address
from ledger.rules.challenges import CHALLENGE_LAWS
from ledger.rules.claims import Claim
from ledger.rules.collecting import COLLECTING_LAWS
from ledger.rules.context import BlockContext, Call
from ledger.rules.devices import DEVICE_LAWS
from ledger.rules.epochs import add_draw, end_epoch
from ledger.rules.governance import GOVERNANCE_LAWS, enact
from ledger.rules.law import Law, law_table
from ledger.rules.lines import LINE_LAWS
from ledger.rules.losses import LOSS_LAWS
from ledger.rules.lots import LOT_LAWS
from ledger.rules.mandate import MANDATE_LAWS
from ledger.rules.market import MARKET_LAWS
from ledger.rules.minting import WINDOW_LAWS
from ledger.rules.permits import PERMIT_LAWS
from ledger.rules.price import PRICE_LAWS, close_round
from ledger.rules.questions import QUESTION_LAWS
from ledger.rules.refuting import REFUTATION_LAWS
from ledger.rules.registry import REGISTRY_LAWS
from ledger.rules.slashing import SLASHING_LAWS
from ledger.rules.staking import STAKING_LAWS
from ledger.rules.subsidy import SUBSIDY_LAWS, pay_claims
from ledger.rules.transfer import TRANSFER_LAWS
from ledger.state.overlay import Overlay, Reader
from ledger.types.transaction import Body

__all__ = [
    "LAWS",
    "BlockContext",
    "Call",
    "apply_body",
    "body_claims",
    "check_body",
    "end_block",
    "named_accounts",
    "returns_fee",
]

LAWS: Final[dict[type[object], Law]] = law_table(
    get_args(Body),
    (
        *TRANSFER_LAWS,
        *STAKING_LAWS,
        *SLASHING_LAWS,
        *REGISTRY_LAWS,
        *WINDOW_LAWS,
        *COLLECTING_LAWS,
        *LOT_LAWS,
        *LOSS_LAWS,
        *CHALLENGE_LAWS,
        *REFUTATION_LAWS,
        *QUESTION_LAWS,
        *PRICE_LAWS,
        *SUBSIDY_LAWS,
        *MARKET_LAWS,
        *MANDATE_LAWS,
        *GOVERNANCE_LAWS,
        *LINE_LAWS,
        *DEVICE_LAWS,
        *PERMIT_LAWS,
    ),
)
"""The law of each type of body."""


def check_body(reader: Reader, call: Call, body: object) -> None:
    """Raise the `Refused` fault that a body would meet now, as far as no block is needed."""
    LAWS[type(body)].check(reader, call, body)


def apply_body(overlay: Overlay, context: BlockContext, call: Call, body: object) -> None:
    """Carry a body out; raise a `Refused` fault, and leave the clearing up to the caller."""
    LAWS[type(body)].apply(overlay, context, call, body)


def named_accounts(body: object) -> tuple[Address, ...]:
    """List the accounts that a body names beside its sender, whatever becomes of it."""
    return tuple(LAWS[type(body)].names(body))


def body_claims(body: object, sender: Address, chain: Hash) -> list[Claim]:
    """List the signatures of devices, attestors and validators that a body shows."""
    return LAWS[type(body)].claims(body, sender, chain)


def returns_fee(reader: Reader, body: object) -> bool:
    """Tell whether a body's fee comes back if it is carried out on this state."""
    return LAWS[type(body)].returns_fee(reader, body)


def end_block(overlay: Overlay, context: BlockContext) -> None:
    """Do what is due after a block's transactions, whatever they were."""
    add_draw(overlay, context)
    close_round(overlay, context.time_ms)
    pay_claims(overlay)
    end_epoch(overlay, context)
    enact(overlay, context.height)
