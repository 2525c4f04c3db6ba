"""Windows that the law refuses: what a claim shows of its line does not hold.

The chain's own check (`ledger.rules.windows`) and who recomputes a window from all its readings
raise the same faults.
"""

from ledger.errors.base import Refused


class WindowRefused(Refused):
    """A window that does not hold. It moves nothing: it may be claimed anew."""

    code = "window_refused"


class ForeignLine(WindowRefused):
    """The line is another's."""

    code = "foreign_line"
    text = "line {line} is another MMU's"


class WrongWindow(WindowRefused):
    """The window does not begin where the line's last one ended, or it ends before or too late."""

    code = "wrong_window"
    text = (
        "a window from {from_ms} to {to_ms} ms, the line's next begins at {through_ms} "
        "and ends by {latest_ms}"
    )


class WrongDevices(WindowRefused):
    """The claim does not show each device that watched the line in its window, and no other."""

    code = "wrong_devices"
    text = "{got} devices shown, {needed} watched the line, ascending by key"


class BadReading(WindowRefused):
    """An envelope is no reading that its device may show here."""

    code = "bad_reading"
    text = "a reading of device {device} can't stand here: {why}"


class UnlinkedReading(WindowRefused):
    """An envelope does not follow the one before it."""

    code = "unlinked_reading"
    text = "device {device}: reading {seq} of boot {boot} does not follow: {why}"


class WrongTip(WindowRefused):
    """The last envelope that the window is done with ends too close to the window's end."""

    code = "wrong_tip"
    text = "device {device}: its last reading ends at {last_ms} ms, {latest_ms} at the latest"


class Unreached(WindowRefused):
    """A device is shown up to another time than the window's end, and not as silent."""

    code = "window_unreached"
    text = "device {device} is not shown at the window's end, {to_ms} ms"


class WrongSilence(WindowRefused):
    """A device is declared silent and was heard past the window's end."""

    code = "wrong_silence"
    text = "device {device} is declared silent and was heard at {last_ms} ms"


class BadIntervals(WindowRefused):
    """Counted intervals are not in order, not in their window, or not the counted steps' sum."""

    code = "bad_intervals"
    text = "interval {index}: {why}"


class UnwatchedInterval(WindowRefused):
    """Somewhere in a counted interval no device in force of a kind watched the flow."""

    code = "unwatched_interval"
    text = "no {kind} watched all from {from_ms} to {to_ms} ms"


class BadSample(WindowRefused):
    """A sample in a counted interval is not what pasteurized milk gives."""

    code = "bad_sample"
    text = "device {device} measured {value} at {at_ms} ms, in a counted interval"


class TamperedReading(WindowRefused):
    """Milk is counted though a device says that it was tampered with by then."""

    code = "tampered_reading"
    text = "device {device} reports tampering in reading {seq} of boot {boot}, before {to_ms} ms"


class IntervalTooFast(WindowRefused):
    """More is counted in an interval than the line may carry, or its vat holds."""

    code = "interval_too_fast"
    text = "interval {index}: {units} units, the line carries {most}"


class WrongFates(WindowRefused):
    """Counted, diverted, cleaning and lost are not together what the flow meter's total rose."""

    code = "wrong_fates"
    text = "{steps} steps have a fate, the flow meter's total rose by {rise}"


class WrongVat(WindowRefused):
    """What the window says of its vat's hold can't be after the line's last one."""

    code = "wrong_vat"
    text = "the vat's hold can't be: {why}"


class WindowOverFlow(WindowRefused):
    """The claim is more than its counted steps are."""

    code = "window_over_flow"
    text = "{units} units claimed, {counted} counted"


class WrongRoot(WindowRefused):
    """The number of readings, or their root, is another than that of the readings shown."""

    code = "wrong_readings"
    text = "{got} readings claimed, its devices show {needed}"


class ShareLocked(WindowRefused):
    """The lot may be refuted yet, so that its processor's share stays locked."""

    code = "share_locked"
    text = "the share of lot {lot} is locked until {until_ms} ms, and while it is doubted"


class NoShare(WindowRefused):
    """Nothing of a lot is locked."""

    code = "no_share"
    text = "nothing is locked for lot {lot}"
