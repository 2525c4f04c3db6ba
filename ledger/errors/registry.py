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


class WrongFlowMax(RegistryRefused):
    """Only a flow meter's line has a flow limit."""

    code = "wrong_seal"
    text = "a {kind} can't have a flow limit of {flow_max_l_per_h} L/h"


class CalibrationOver(RegistryRefused):
    """The calibration ends before it begins to matter."""

    code = "calibration_over"
    text = "calibrated until {until_ms} ms, it is {time_ms} ms"


class OwnRole(RegistryRefused):
    """A regulator can't revoke its own licence: someone must be left to grant it."""

    code = "own_role"
    text = "a regulator does not revoke its own role"


class OwnAccount(RegistryRefused):
    """A regulator can't freeze itself: someone must be left to thaw."""

    code = "own_account"
    text = "a regulator does not freeze its own account"


class OwnCause(RegistryRefused):
    """The sender would rule on a matter of its own, or challenge its own milk."""

    code = "own_cause"
    text = "{address} is a party to this"


class RoleHeld(RegistryRefused):
    """The holder has the role already."""

    code = "role_held"
    text = "{holder} holds the role {role} already"


class RoleNotHeld(RegistryRefused):
    """The holder does not have the role."""

    code = "role_not_held"
    text = "{holder} does not hold the role {role}"


class CountedRoleBounds(RegistryRefused):
    """A role whose quorum is counted would have too few or too many holders."""

    code = "role_out_of_bounds"
    text = "{count} holders of the role {role}, must be {least} to {most}"


class DeviceUnregistered(RegistryRefused):
    """There is no such device to calibrate or revoke."""

    code = "device_unregistered"
    text = "device {device} is not registered"


class DeviceRevoked(RegistryRefused):
    """The device was revoked, for ever."""

    code = "device_revoked"
    text = "device {device} was revoked"
