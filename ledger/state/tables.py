"""Tables: which record stands under which key, and the questions that every rule has for them.

First the tables, then the law's own accounts and how units move, then parameters, roles and names.
A record has no other way in or out of a state than its table here.
"""

from functools import lru_cache
from typing import Final

from ledger.errors.money import ClosedAccount, TooLittleMoney
from ledger.params import Parameters
from ledger.primitives.amounts import Units
from ledger.primitives.committee import Committee
from ledger.primitives.hashing import Domain, Hash, digest
from ledger.primitives.keys import Address, PublicKey
from ledger.state.dairy import Challenge, Mmu, ProductLot
from ledger.state.doubt import AskedReading, AttestorBond, Doubts
from ledger.state.lines import Line, LineMinted, Permit, TankLines, Tip
from ledger.state.market import (
    Changes,
    Deal,
    FarmMonth,
    Mandate,
    Offer,
    Price,
    Subsidy,
    SubsidyClaim,
)
from ledger.state.overlay import Overlay, Reader
from ledger.state.proven import Proven
from ledger.state.records import (
    Account,
    Device,
    Holders,
    Lot,
    Role,
    Supply,
)
from ledger.state.stakes import Delegation, Offences, Register, Slashes, Unbonding, Validator
from ledger.state.table import Table
from ledger.state.tanks import MeterUse, MilkTank, TankHour

_ADDRESS_BYTES: Final = 32


def _named(name: bytes, record: object) -> tuple[Address, ...]:
    """Give the address that a record's name is, or ends with."""
    return (Address(name[-_ADDRESS_BYTES:]),)


ACCOUNTS: Final = Table(b"a", Account, whose=_named)
"""By address."""
ATTESTORS: Final = Table(b"t", Holders)
"""One record: every attestor's key."""
ORACLES: Final = Table(b"i", Holders)
"""One record: every price feeder's address."""
CHAIN: Final = Table(b"c", bytes)
"""One record: the chain's id."""
DEVICES: Final = Table(b"d", Device, whose=lambda name, device: (device.operator,))
"""By the device's key."""
LOTS: Final = Table(b"l", Lot)
"""By lot id."""
PRODUCTS: Final = Table(b"f", ProductLot)
"""By product lot id."""
MMUS: Final = Table(b"j", Mmu, whose=_named)
"""By the MMU's address."""
CHALLENGES: Final = Table(b"h", Challenge, whose=lambda name, doubt: (doubt.challenger,))
"""By lot id and challenger: open ones."""
PARAMETERS: Final = Table(b"p", Parameters)
"""One record: the parameters in force."""
ROLES: Final = Table(b"r", bool, whose=_named)
"""By role name, a zero byte, and address or key: true while it is held."""
SUPPLY: Final = Table(b"s", Supply)
"""One record: the books."""
VALIDATORS: Final = Table(b"v", Validator, whose=lambda name, validator: (validator.owner,))
"""By vote key."""
REGISTER: Final = Table(b"w", Register)
"""One record: the vote keys of those that stand for the committee."""
OWNERS: Final = Table(b"o", bytes)
"""By owner's address: the vote key of its validator."""
COMMITTEES: Final = Table(b"k", Committee)
"""By epoch (8 bytes, big-endian)."""
EPOCH_ENDS: Final = Table(b"B", int)
"""By epoch (8): the time of its boundary, as long as its committee is kept."""
FIRST_EPOCH: Final = Table(b"F", int)
"""One record: the first epoch whose committee is kept."""
SEEDS: Final = Table(b"E", bytes)
"""By epoch (8): the seed that orders its leaders, or what it is so far."""
DELEGATIONS: Final = Table(b"g", Delegation, whose=_named)
"""By vote key and address."""
UNBONDING: Final = Table(b"y", Unbonding)
"""By vote key and epoch (8)."""
TICKETS: Final = Table(b"z", int, whose=_named)
"""By vote key, epoch (8) and address: shares of what is unbonding."""
OFFENCES: Final = Table(b"x", Offences)
"""By epoch (8) and vote key."""
SLASHES: Final = Table(b"b", Slashes)
"""One record: what was slashed."""

LINES: Final = Table(b"L", Line, whose=lambda name, line: (line.mmu,))
"""By line id."""
PLANTS: Final = Table(b"N", bytes)
"""By the digest of a plant's name: the MMU that it belongs to."""
TANK_LINES: Final = Table(b"Y", TankLines)
"""By tank id: the lines that draw from it."""
TIPS: Final = Table(b"T", Tip)
"""By line id and the device's key: a gauge may stand on several lines (`names.tip_name`)."""
PERMITS: Final = Table(b"I", Permit, whose=lambda name, permit: (Address(name[:_ADDRESS_BYTES]),))
"""By the farm's address and a meter's key, zeros for all that have none of their own."""
LINE_MINTED: Final = Table(b"J", LineMinted)
"""By line id: what it minted lately."""
MILK_TANKS: Final = Table(b"K", MilkTank, whose=lambda name, tank: (tank.mmu,) if tank.name else ())
"""By tank id."""
TANK_HOURS: Final = Table(b"H", TankHour)
"""By tank id and hour since 1970 (8, `names.epoch_name`)."""
METER_USE: Final = Table(b"U", MeterUse)
"""By the meter's key."""
PROVEN: Final = Table(b"Q", Proven)
"""By lot id: what proved it. Stock of the genesis has none."""
QUESTIONS: Final = Table(b"V", AskedReading, whose=lambda name, question: (question.asker,))
"""By lot id, device, boot (4) and number (8): open ones."""
DOUBTS: Final = Table(b"W", Doubts)
"""By lot id: how many stand. None where none does."""
DOUBTED: Final = Table(b"R", int, whose=_named)
"""By the MMU's address: units of its lots about which a doubt stands."""
ATTESTOR_BONDS: Final = Table(b"X", AttestorBond, whose=_named)
"""By the address of the attestor's key."""

PRICE: Final = Table(b"P", Price)
"""One record: the price and the open round."""
SUBSIDY: Final = Table(b"S", Subsidy)
"""One record: the pool."""
CLAIMS: Final = Table(b"C", SubsidyClaim, whose=lambda name, claim: (claim.farm,))
"""By number (8): claims that wait for the pool."""
FARM_MONTHS: Final = Table(b"M", FarmMonth, whose=_named)
"""By the farm's address."""
OFFERS: Final = Table(b"O", Offer, whose=lambda name, offer: (offer.seller,))
"""By offer id."""
DEALS: Final = Table(b"D", Deal, whose=lambda name, deal: (deal.buyer, deal.seller))
"""By deal id: open ones."""
MANDATES: Final = Table(
    b"A", Mandate, whose=lambda name, mandate: (mandate.payer, mandate.merchant)
)
"""By mandate id."""
CHANGES: Final = Table(b"G", Changes)
"""One record: changes of parameters that wait."""

NO_ACCOUNT: Final = Account(Units(0), 0)


def _module(name: str) -> Address:
    return Address(digest(Domain.MODULE, name.encode()))


STAKE_ACCOUNT: Final = _module("stake")
"""Holds what validators have at stake."""
RESERVE_ACCOUNT: Final = _module("reserve")
"""Holds the perish reserve."""
VALIDATORS_ACCOUNT: Final = _module("validators")
"""Holds the validators' part of the levy until it is shared out."""
ATTESTORS_ACCOUNT: Final = _module("attestors")
"""Holds the attestors' part of the levy until it is shared out."""
REWARDS_ACCOUNT: Final = _module("rewards")
"""Holds delegators' rewards until they take them."""
BONDS_ACCOUNT: Final = _module("bonds")
"""Holds what MMUs and attestors vouch with."""
DEPOSITS_ACCOUNT: Final = _module("deposits")
"""Holds the deposits of open challenges and questions."""
SUBSIDY_ACCOUNT: Final = _module("subsidy")
"""Holds the pool that pays farmers."""
ESCROW_ACCOUNT: Final = _module("escrow")
"""Holds the price of open deals."""
LOCKED_ACCOUNT: Final = _module("locked")
"""Holds processors' shares of lots that may yet be refuted."""
MODULE_ACCOUNTS: Final = {
    "stake": STAKE_ACCOUNT,
    "reserve": RESERVE_ACCOUNT,
    "validators": VALIDATORS_ACCOUNT,
    "attestors": ATTESTORS_ACCOUNT,
    "rewards": REWARDS_ACCOUNT,
    "bonds": BONDS_ACCOUNT,
    "deposits": DEPOSITS_ACCOUNT,
    "subsidy": SUBSIDY_ACCOUNT,
    "escrow": ESCROW_ACCOUNT,
    "locked": LOCKED_ACCOUNT,
}


_CLOSED: Final = frozenset(MODULE_ACCOUNTS.values())


def check_open(address: Address) -> None:
    """Raise `ClosedAccount` if an address is one of the law's own accounts."""
    if address in _CLOSED:
        raise ClosedAccount(address=address.hex())


def account(reader: Reader, address: Address) -> Account:
    """Give an account; one that nobody has used holds nothing."""
    return ACCOUNTS.get(reader, address) or NO_ACCOUNT


def credit(overlay: Overlay, address: Address, units: int) -> None:
    """Add units to an account; the caller debits or mints the same amount."""
    assert units >= 0
    if units:
        held = account(overlay, address)
        more = Account(Units(held.units + units), held.nonce, held.frozen)
        ACCOUNTS.put(overlay, more, address)


def debit(overlay: Overlay, address: Address, units: int) -> None:
    """Take units from an account; the caller has checked that it has them, and pays them out."""
    held = account(overlay, address)
    assert 0 <= units <= held.units, "an account would fall below zero"
    if units:
        left = Account(Units(held.units - units), held.nonce, held.frozen)
        ACCOUNTS.put(overlay, left, address)


def pay(overlay: Overlay, payer: Address, payee: Address, units: int) -> None:
    """Move units; raise `TooLittleMoney` if the payer has fewer."""
    held = account(overlay, payer).units
    if held < units:
        raise TooLittleMoney(needed=units, units=held)
    debit(overlay, payer, units)
    credit(overlay, payee, units)


def supply(reader: Reader) -> Supply:
    """Give the books."""
    return SUPPLY.get(reader) or Supply(Units(0), Units(0), Units(0))


def parameters(reader: Reader) -> Parameters:
    """Give the parameters in force. Every state after genesis has them."""
    raw = reader.get(PARAMETERS.prefix)
    assert raw is not None, "a state without parameters: no genesis was applied"
    return _decode_parameters(raw)


@lru_cache(maxsize=8)
def _decode_parameters(raw: bytes) -> Parameters:
    """Every transaction asks for its least fee, and parameters hardly ever change."""
    return PARAMETERS.decode(raw)


def chain_id(reader: Reader) -> Hash:
    """Give the chain's id. Every state after genesis has it."""
    found = CHAIN.get(reader)
    assert found is not None, "a state without a chain id: no genesis was applied"
    return Hash(found)


def _role_name(role: Role, holder: Address | PublicKey) -> bytes:
    return role.value.encode() + b"\0" + holder


def has_role(reader: Reader, role: Role, holder: Address | PublicKey) -> bool:
    """Tell whether an account or key holds a role."""
    return ROLES.get(reader, _role_name(role, holder)) is True


_COUNTED: Final = {Role.ATTESTOR: ATTESTORS, Role.ORACLE: ORACLES}
"""Roles whose quorums are counted: their holders stand in a list beside."""


def grant_role(overlay: Overlay, role: Role, holder: Address | PublicKey) -> None:
    """Let an account or key hold a role."""
    ROLES.put(overlay, True, _role_name(role, holder))
    if role in _COUNTED:
        held = {*holders(overlay, role), Address(holder)}
        _COUNTED[role].put(overlay, Holders(tuple(sorted(held))))


def revoke_role(overlay: Overlay, role: Role, holder: Address | PublicKey) -> None:
    """Let an account or key hold a role no more."""
    ROLES.remove(overlay, _role_name(role, holder))
    if role in _COUNTED:
        held = {*holders(overlay, role)} - {Address(holder)}
        _COUNTED[role].put(overlay, Holders(tuple(sorted(held))))


def holders(reader: Reader, role: Role) -> tuple[Address, ...]:
    """List who holds a counted role, ascending."""
    found = _COUNTED[role].get(reader)
    return found.keys if found else ()


def attestors(reader: Reader) -> tuple[PublicKey, ...]:
    """List the registered attestors' keys, ascending."""
    return tuple(PublicKey(key) for key in holders(reader, Role.ATTESTOR))
