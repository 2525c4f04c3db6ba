"""Grants of roles and registrations of devices that the law refuses."""

from ledger.errors.base import Refused


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
