"""Mints that the law refuses: what they show does not hold, or does not add up."""

from ledger.errors.base import Refused


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
    """The lot would be over too soon, or live longer than its kind may."""

    code = "bad_shelf_life"
    text = "expires at {expires_ms} ms, must be {earliest_ms} to {latest_ms} ms"


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


class RevokedDevice(EvidenceRefused):
    """The device was revoked."""

    code = "revoked_device"
    text = "device {device} was revoked"


class CalibrationGap(EvidenceRefused):
    """Readings from before the calibration that holds now."""

    code = "calibration_gap"
    text = "device {device} is calibrated since {from_ms} ms, its first reading is of {first_ms} ms"


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
    """The claim is more than flowed through the pasteurizer."""

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


class TooHot(EvidenceRefused):
    """A vat was hotter than the rules have it."""

    code = "too_hot"
    text = "{got_mdegc} m°C in the vat, at most {most_mdegc} are allowed"


class TooFast(EvidenceRefused):
    """Milk flowed faster than its line may carry it: it was not held long enough."""

    code = "too_fast"
    text = "device {device}: {units} units in {span_ms} ms, {most_l_per_h} L/h at most"


class ShortHold(EvidenceRefused):
    """A vat was not held long enough before it drained."""

    code = "short_hold"
    text = "device {device} shows {got_ms} ms of holding before the flow, {least_ms} are asked"


class WrongProcess(EvidenceRefused):
    """This kind of milk can't be made that way, or not by this line."""

    code = "wrong_process"
    text = "{kind} milk is not made by the process {process} on a line for {flow_max_l_per_h} L/h"


class Unwatched(EvidenceRefused):
    """No instrument of a kind saw all of the flow."""

    code = "unwatched"
    text = "no {kind} saw the flow between {from_ms} and {to_ms} ms"


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


class TooFewAttestors(EvidenceRefused):
    """Too few attestors agree."""

    code = "no_quorum"
    text = "{got} of {registered} attestors agree, {needed} must"


class SupplyOverflow(EvidenceRefused):
    """More milk than amounts can count."""

    code = "supply_overflow"
    text = "{units} units more would pass the largest amount"
