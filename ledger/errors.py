"""Faults of the ledger: what the law refuses, and why.

LedgerFault
+-- Unincludable      a proposer leaves it out; a block that holds it is invalid
|   +-- WrongChain, BadPolicy, BadPlaces, BadSignature, FeeTooLow, Outdated, BadNonce,
|       CannotPayFee
+-- Refused           pays its fee, uses its nonce, and is recorded as failed
|   +-- MoneyRefused: ZeroUnits, TooLittleMoney, RedeemsTooMuch, UnknownLot, ExpiredLot, ShortLot
|   +-- RegistryRefused: RoleMissing, KnownDevice, UnknownInstrument, CalibrationOver
|   +-- EvidenceRefused (below): what a mint shows does not hold
+-- BadGenesis        a genesis file that can't begin a chain
+-- StoreFault: ForeignStore, LockedStore, WrongSchema, EmptyStore

EvidenceRefused
+-- KnownRun, BadRunTimes, FutureRun, BadShelfLife
+-- UnknownDevice, ForeignDevice, ForeignOperator, WrongInstrument, CalibrationShort
+-- BadEnvelope, ForeignEnvelope, UnorderedEnvelopes, Tampered, OutsideRun, WrongStream,
|   WrongUnit, FallingTotal, UsedReadings, WrongInstruments
+-- ZeroCollection, CollectionOverMeter, ClaimOverCollections, ClaimOverFlow, ClaimOverTank,
|   FlowAgainstTank
+-- TooCold, TooWarm, Diverted
+-- UnknownAttestor, UnorderedAttestors, NoQuorum, SupplyOverflow

Each fault has a stable `code`, and the `numbers` that explain it. `InvariantBroken` is no fault:
it says that the ledger itself is wrong, and nothing may go on.
"""

from typing import ClassVar


class InvariantBroken(AssertionError):
    """The ledger's own books do not agree: a bug, never a user's doing."""


class LedgerFault(Exception):
    """Something that the law refuses: a stable code, a sentence, and its numbers."""

    code: ClassVar[str] = "ledger_fault"
    text: ClassVar[str] = "the ledger refuses this"

    def __init__(self, **numbers: int | str) -> None:
        self.numbers = numbers
        super().__init__(self.text.format(**numbers))


class Unincludable(LedgerFault):
    """A transaction that can't stand in a block: it could not even pay its fee."""

    code = "unincludable"


class WrongChain(Unincludable):
    """The transaction was signed for another chain."""

    code = "wrong_chain"
    text = "signed for chain {got}, this is chain {expected}"


class BadPolicy(Unincludable):
    """The sender's keys and threshold make no policy."""

    code = "bad_policy"
    text = "the sender's policy does not hold: {why}"


class BadPlaces(Unincludable):
    """Signatures do not match the policy's places: ascending, exactly the threshold."""

    code = "bad_signature_places"
    text = "{got} signatures where the policy wants exactly {expected}, in ascending places"


class BadSignature(Unincludable):
    """A signature does not hold. Raised by whoever verifies, outside the rules."""

    code = "bad_signature"
    text = "a signature does not hold: number {index} of {count}"


class FeeTooLow(Unincludable):
    """The fee is below the minimum."""

    code = "fee_too_low"
    text = "a fee of {got} units, at least {least} are asked"


class Outdated(Unincludable):
    """The height until which the transaction was valid has passed."""

    code = "transaction_expired"
    text = "valid until height {valid_until}, the next is {height}"


class BadNonce(Unincludable):
    """The sender's next nonce is another one."""

    code = "bad_nonce"
    text = "nonce {got}, the sender's next is {expected}"


class CannotPayFee(Unincludable):
    """The sender has less than the fee."""

    code = "cannot_pay_fee"
    text = "a fee of {fee} units, the sender has {units}"


class Refused(LedgerFault):
    """A transaction whose body has no effect; its fee is paid and its nonce used."""

    code = "refused"


class MoneyRefused(Refused):
    """A payment that can't be made."""

    code = "money_refused"


class ZeroUnits(MoneyRefused):
    """Nothing to move, redeem or mint."""

    code = "zero_units"
    text = "zero units: there is nothing to move"


class TooLittleMoney(MoneyRefused):
    """The sender has less than it wants to pay."""

    code = "insufficient_funds"
    text = "{needed} units to pay, the sender has {units}"


class RedeemsTooMuch(MoneyRefused):
    """A payment that redeems more than it pays."""

    code = "redeems_too_much"
    text = "redeems {redeemed} units of a payment of {units}"


class UnknownLot(MoneyRefused):
    """There is no such lot."""

    code = "unknown_lot"
    text = "there is no lot {lot}"


class ExpiredLot(MoneyRefused):
    """The lot's milk is past its date."""

    code = "expired_lot"
    text = "lot {lot} expired at {expires_ms} ms, it is {time_ms} ms"


class ShortLot(MoneyRefused):
    """The lot holds less than is to be redeemed."""

    code = "short_lot"
    text = "lot {lot} has {remaining} units left, {units} are wanted"


class RegistryRefused(Refused):
    """A grant or registration that can't be made."""

    code = "registry_refused"


class RoleMissing(RegistryRefused):
    """The sender does not hold the role that this needs."""

    code = "role_missing"
    text = "the sender does not hold the role {role}"


class KnownDevice(RegistryRefused):
    """The device is registered already."""

    code = "known_device"
    text = "device {device} is registered already"


class UnknownInstrument(RegistryRefused):
    """No such kind of instrument."""

    code = "unknown_instrument"
    text = "{kind} is no kind of instrument"


class CalibrationOver(RegistryRefused):
    """The calibration ends before it begins to matter."""

    code = "calibration_over"
    text = "calibrated until {until_ms} ms, it is {time_ms} ms"


class EvidenceRefused(Refused):
    """A mint whose evidence does not hold."""

    code = "evidence_refused"


class KnownRun(EvidenceRefused):
    """The run was minted before."""

    code = "known_run"
    text = "run {run} made lot {lot} already"


class BadRunTimes(EvidenceRefused):
    """The run ends before it starts."""

    code = "bad_run_times"
    text = "the run starts at {started_ms} ms and ends at {ended_ms} ms"


class FutureRun(EvidenceRefused):
    """The run ends after the block's time."""

    code = "future_run"
    text = "the run ends at {ended_ms} ms, it is {time_ms} ms"


class BadShelfLife(EvidenceRefused):
    """The lot is expired already, or keeps longer than its kind may."""

    code = "bad_shelf_life"
    text = "expires at {expires_ms} ms; must be after {time_ms} ms and at most {latest_ms} ms"


class UnknownDevice(EvidenceRefused):
    """No such device is registered."""

    code = "unknown_device"
    text = "device {device} is not registered"


class ForeignDevice(EvidenceRefused):
    """The device is registered for another plant."""

    code = "foreign_device"
    text = "device {device} is registered for plant {registered}, not {plant}"


class ForeignOperator(EvidenceRefused):
    """The device is another's: a meter belongs to its farm, an instrument to the MMU."""

    code = "foreign_operator"
    text = "device {device} is operated by another account than {expected}"


class WrongInstrument(EvidenceRefused):
    """The device does not measure what it is shown for."""

    code = "wrong_instrument"
    text = "device {device} is a {registered} and can't serve as {wanted}"


class CalibrationShort(EvidenceRefused):
    """The calibration ended before the run did."""

    code = "calibration_short"
    text = "device {device} was calibrated until {until_ms} ms, the run ended at {ended_ms} ms"


class BadEnvelope(EvidenceRefused):
    """An envelope's body is no reading."""

    code = "bad_envelope"
    text = "an envelope of device {device} does not decode: {why}"


class ForeignEnvelope(EvidenceRefused):
    """An envelope is of another device or boot than it is shown for."""

    code = "foreign_envelope"
    text = "an envelope shown for device {device}, boot {boot}, is of another"


class UnorderedEnvelopes(EvidenceRefused):
    """The three envelopes are not the ends and a middle of the range they are shown for."""

    code = "unordered_envelopes"
    text = "device {device}: readings {first}, {worst}, {last} for the range {first_seq}-{last_seq}"


class Tampered(EvidenceRefused):
    """A device reports that it was tampered with."""

    code = "tampered"
    text = "device {device} reports tampering at reading {seq}"


class OutsideRun(EvidenceRefused):
    """A reading lies outside the time it is shown for."""

    code = "outside_run"
    text = "device {device}: {from_ms}-{to_ms} ms lies outside {started_ms}-{ended_ms} ms"


class WrongStream(EvidenceRefused):
    """A reading measures something else."""

    code = "wrong_stream"
    text = "device {device} shows {stream}, which is nothing that a {kind} measures"


class WrongUnit(EvidenceRefused):
    """A reading's unit does not fit what it measures, or changes within the range."""

    code = "wrong_unit"
    text = "device {device} shows {stream} in {unit}"


class FallingTotal(EvidenceRefused):
    """A total falls, or a draining tank fills."""

    code = "falling_total"
    text = "device {device} goes from {first} to {last}"


class UsedReadings(EvidenceRefused):
    """Readings were used by an earlier mint, or stand in this one twice."""

    code = "used_readings"
    text = "device {device}, boot {boot}: readings {first}-{last} were used already"


class WrongInstruments(EvidenceRefused):
    """A run shows too few or too many instruments of a kind."""

    code = "wrong_instruments"
    text = "{count} of {kind}, must be {least} to {most}"


class ZeroCollection(EvidenceRefused):
    """A collection that brings nothing."""

    code = "zero_collection"
    text = "collection {index} brings no milk"


class CollectionOverMeter(EvidenceRefused):
    """A collection claims more than its meter counted."""

    code = "collection_over_meter"
    text = "collection {index} claims {units} units, its meter counted {counted}"


class ClaimOverCollections(EvidenceRefused):
    """The claim is more than was collected."""

    code = "claim_over_collections"
    text = "{units} units claimed, {counted} collected"


class ClaimOverFlow(EvidenceRefused):
    """The claim is more than flowed through the pasteuriser."""

    code = "claim_over_flow"
    text = "{units} units claimed, {counted} flowed"


class ClaimOverTank(EvidenceRefused):
    """The claim is more than left the tank."""

    code = "claim_over_tank"
    text = "{units} units claimed, {counted} left the tank"


class FlowAgainstTank(EvidenceRefused):
    """Flow meter and tank gauge disagree."""

    code = "flow_against_tank"
    text = "{flow} units flowed, {tank} left the tank: more than {limit_bp} basis points apart"


class TooCold(EvidenceRefused):
    """Milk was held below the limit."""

    code = "too_cold"
    text = "held at {got_mdegc} mdegC, at least {least_mdegc} are asked (uncertainty included)"


class TooWarm(EvidenceRefused):
    """Milk left the line too warm."""

    code = "too_warm"
    text = "left at {got_mdegc} mdegC, at most {most_mdegc} are allowed"


class Diverted(EvidenceRefused):
    """The diversion valve was not forward."""

    code = "diverted"
    text = "the diversion valve {device} was not forward"


class UnknownAttestor(EvidenceRefused):
    """A signature by no registered attestor."""

    code = "unknown_attestor"
    text = "{attestor} is no registered attestor"


class UnorderedAttestors(EvidenceRefused):
    """Attestations do not stand in ascending order of key, each once."""

    code = "unordered_attestors"
    text = "attestations stand in ascending order of key, each attestor once"


class NoQuorum(EvidenceRefused):
    """Too few attestors agree."""

    code = "no_quorum"
    text = "{got} of {registered} attestors agree, {needed} must"


class SupplyOverflow(EvidenceRefused):
    """More milk than amounts can count."""

    code = "supply_overflow"
    text = "{units} units more would pass the largest amount"


class BadGenesis(LedgerFault):
    """A genesis that can't begin a chain: where it is wrong, and why."""

    code = "bad_genesis"
    text = "genesis, {where}: {why}"


class StoreFault(LedgerFault):
    """A store that can't be used as asked."""

    code = "store_fault"


class ForeignStore(StoreFault):
    """The store holds another chain."""

    code = "foreign_store"
    text = "the store at {path} holds chain {got}, not {expected}: name another directory"


class LockedStore(StoreFault):
    """The store can't be opened: another process has it, or the disk refuses."""

    code = "locked_store"
    text = "the store at {path} does not open: {why}"


class WrongSchema(StoreFault):
    """The store was written by another version."""

    code = "wrong_schema"
    text = "the store at {path} has schema {got}, this program reads {expected}"


class EmptyStore(StoreFault):
    """The store has no genesis yet."""

    code = "empty_store"
    text = "the store at {path} is empty: begin it with a genesis"
