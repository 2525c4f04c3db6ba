"""Tampering: which word of it still says something against a device (spec §18.2)."""

from ledger.state.records import Device


def is_settled(device: Device, number: tuple[int, int], last_ms: int) -> bool:
    """Tell whether a reading's word of tampering says nothing against a device any more.

    The regulator looked into it, or has begun since then every calibration that stands on record:
    what a device went through before it was admitted is nobody's matter.
    """
    if device.cleared is not None and number <= device.cleared:
        return True
    earliest_ms = device.calibrated_from_ms if device.earlier is None else device.earlier[0]
    return last_ms < earliest_ms
