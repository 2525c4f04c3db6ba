"""Evidence that the law refuses: what it shows does not hold, or does not add up."""

from ledger.errors.base import Refused


class EvidenceRefused(Refused):
    """Evidence that does not hold."""

    code = "evidence_refused"


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


class CollectionOverMeter(EvidenceRefused):
    """A collection claims more than its meter counted."""

    code = "collection_over_meter"
    text = "collection {index} claims {units} units, its meter counted {counted}"


class TooFast(EvidenceRefused):
    """Milk flowed faster than its line may carry it: it was not held long enough."""

    code = "too_fast"
    text = "device {device}: {units} units in {span_ms} ms, {most_l_per_h} L/h at most"


class WrongProcess(EvidenceRefused):
    """This kind of milk can't be made that way, or not by this line."""

    code = "wrong_process"
    text = "{kind} milk is not made by the process {process} on a line for {flow_max_l_per_h} L/h"


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
