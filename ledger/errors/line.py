"""Lines, stops and permits that the law refuses."""

from ledger.errors.base import Refused


class LineRefused(Refused):
    """A line, a stop or a permit that can't be written as asked."""

    code = "line_refused"


class ForeignPlant(LineRefused):
    """The plant belongs to another MMU."""

    code = "foreign_plant"
    text = "plant {plant} belongs to another MMU than {mmu}"


class KnownLine(LineRefused):
    """The plant has a line of this name already."""

    code = "known_line"
    text = "line {line} of plant {plant} is registered already"


class UnknownLine(LineRefused):
    """No such line is registered."""

    code = "unknown_line"
    text = "line {line} is not registered"


class FlowOrVat(LineRefused):
    """A line flows, with a limit, or it drains a vat of so many units: one of the two."""

    code = "flow_or_vat"
    text = (
        "a {process} line can't have a flow limit of {flow_max_l_per_h} L/h "
        "and a vat of {vat_units} units"
    )


class SharedVat(LineRefused):
    """A vat's tank feeds its line alone: what leaves by another hides what comes in."""

    code = "shared_vat"
    text = "tank {tank} feeds another line already, and a vat feeds one alone"


class UnorderedDevices(LineRefused):
    """Devices are listed by key, ascending, each once."""

    code = "unordered_devices"
    text = "devices stand by ascending key, each once"


class NoPlace(LineRefused):
    """The instrument has no place on a line."""

    code = "no_place"
    text = "device {device} is a {instrument}, which watches no line"


class DeviceTaken(LineRefused):
    """The device watches a line, or another tank, already."""

    code = "device_taken"
    text = "device {device} stands elsewhere already"


class DeviceStopped(LineRefused):
    """Nothing that the device measures counts."""

    code = "device_stopped"
    text = "nothing counts that device {device} measured since {stopped_ms} ms"


class WrongPlaces(LineRefused):
    """A place of the line has too few devices, or too many."""

    code = "wrong_places"
    text = "{count} devices as {instrument}, must be {least} to {most}"


class LineFull(LineRefused):
    """The line has as many devices as it may, those that left and are judged yet among them."""

    code = "line_full"
    text = "{count} devices, a line has at most {most}"


class NotOnLine(LineRefused):
    """The device does not watch this line, or has left it."""

    code = "not_on_line"
    text = "device {device} does not watch line {line}"


class NothingAmended(LineRefused):
    """No device joins and none leaves."""

    code = "nothing_amended"
    text = "no device joins line {line} and none leaves it"


class FutureStop(LineRefused):
    """A stop says from when a device was wrong: it does not lie ahead."""

    code = "future_stop"
    text = "a stop since {since_ms} ms, it is {time_ms} ms"


class StoppedAlready(LineRefused):
    """The device is stopped since that time or earlier."""

    code = "stopped_already"
    text = "device {device} is stopped since {stopped_ms} ms already"


class NotStopped(LineRefused):
    """There is no stop to clear."""

    code = "not_stopped"
    text = "device {device} is not stopped"


class NoTampering(LineRefused):
    """The envelope does not say that its device was tampered with."""

    code = "no_tampering"
    text = "reading {seq} of boot {boot} of device {device} tells of no tampering"


class ClearedReport(LineRefused):
    """The regulator has looked into this report, or a later one, or calibrated the device since."""

    code = "cleared_report"
    text = (
        "reading {seq} of boot {boot} of device {device} is cleared, or of before its calibration"
    )


class NumberBefore(LineRefused):
    """A clearing never goes back behind an earlier one."""

    code = "number_before"
    text = "device {device} was cleared beyond reading {seq} of boot {boot} already"


class PermitTooLong(LineRefused):
    """A permit ends within 400 days: consent is renewed."""

    code = "permit_too_long"
    text = "a permit until {until_ms} ms, at most until {latest_ms} ms"


class NoPermit(LineRefused):
    """There is no permit to withdraw."""

    code = "no_permit"
    text = "no permit stands for this"


class TooManyTerms(LineRefused):
    """A permit has changed so often lately that milk yet to be recorded needs every change."""

    code = "too_many_terms"
    text = "{count} changes of a permit are needed yet, at most {most}"
