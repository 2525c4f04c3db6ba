"""Governance: numbers of the law change at a height, inside their hard bounds (spec §17).

Bounds are the types of `params`, so no change can pass them. Numbers that other records count by
never change on a chain: the length of epochs, how long evidence is kept, how long stake takes to
leave, how long a lot is open to doubt.
"""

from typing import Final

import msgspec

from ledger.errors.governance import OutOfBounds, PastHeight, TooManyChanges, UnknownParameter
from ledger.params import Parameters
from ledger.rules.context import BlockContext, Call
from ledger.rules.law import Law
from ledger.rules.price import rebound
from ledger.state.market import CHANGES_MAX, Change, Changes
from ledger.state.overlay import Overlay, Reader
from ledger.state.records import Role
from ledger.state.tables import CHANGES, PARAMETERS, parameters
from ledger.types.governance import SetParameter

CHANGEABLE: Final = frozenset(
    {
        "split.processor_bp",
        "split.validators_bp",
        "split.attestors_bp",
        "split.reserve_bp",
        "fee_least_units",
        "probe_uncertainty_mdegc",
        "density_mg_per_l",
        "agreement_bp",
        "collection_age_ms_max",
        "clock_skew_ms_max",
        "challenge_deposit_units",
        "release_ms",
        "roll_grace_ms",
        "mmu_bond_least_units",
        "bond_bp",
        "staking.committee_max",
        "staking.stake_least_units",
        "staking.jail_epochs",
        "staking.slash_bp",
        "staking.reporter_bp",
        "price.floor",
        "price.ceiling",
        "price.day_step_bp",
        "price.fresh_ms",
        "price.feeders_least",
        "doubt.attestor_bond_least_units",
        "doubt.attest_slash_bp",
        "doubt.refuter_bp",
        "doubt.answer_ms",
    }
)
"""The parameters that may change, a part's by a point."""


def changed_parameters(rules: Parameters, key: str, value: int) -> Parameters:
    """Give parameters with one value changed; raise if there is no such one, or out of bounds."""
    if key not in CHANGEABLE:
        raise UnknownParameter(key=repr(key))
    fields: dict[str, object] = msgspec.to_builtins(rules)
    part, _, name = key.rpartition(".")
    holder = fields[part] if part else fields
    assert isinstance(holder, dict)
    holder[name] = value
    try:
        changed = msgspec.convert(fields, Parameters)
    except msgspec.ValidationError as error:
        raise OutOfBounds(key=key, value=value, why=str(error)) from error
    if why := changed.why_wrong():
        raise OutOfBounds(key=key, value=value, why=why)
    return changed


def _waiting(reader: Reader) -> tuple[Change, ...]:
    return (CHANGES.get(reader) or Changes(())).waiting


def check_set(reader: Reader, call: Call, body: SetParameter) -> None:
    """Raise unless what is asked for could hold today."""
    changed_parameters(parameters(reader), body.key, body.value)
    if len(_waiting(reader)) >= CHANGES_MAX:
        raise TooManyChanges(most=CHANGES_MAX)


def apply_set(overlay: Overlay, context: BlockContext, call: Call, body: SetParameter) -> None:
    """Let a change wait for its height."""
    check_set(overlay, call, body)
    if body.height <= context.height:
        raise PastHeight(height=body.height, now=context.height)
    change = Change(body.height, body.key, body.value)
    # Of one height the later word stands last, and so prevails.
    waiting = sorted((*_waiting(overlay), change), key=lambda each: each.height)
    CHANGES.put(overlay, Changes(tuple(waiting)))


def enact(overlay: Overlay, height: int) -> None:
    """After a block, bring into force what the next height asks for.

    A change that no longer holds beside the others is dropped.
    """
    waiting = _waiting(overlay)
    due = [change for change in waiting if change.height <= height + 1]
    if not due:
        return
    rules = parameters(overlay)
    for change in due:
        try:
            rules = changed_parameters(rules, change.key, change.value)
        except OutOfBounds:
            continue
    PARAMETERS.put(overlay, rules)
    CHANGES.put(overlay, Changes(waiting[len(due) :]))
    rebound(overlay)


GOVERNANCE_LAWS: Final = (Law(SetParameter, apply_set, check_set, by=(Role.REGULATOR,)),)
