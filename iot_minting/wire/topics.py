"""MQTT topics: where readings, states, receipts and commands go (docs/spec/minting.md §2).

A topic is a hint for routing, never evidence: what counts is in the signed body.
"""

import re
from typing import Final, NamedTuple

from iot_minting.errors import WrongTopic
from ledger.primitives.keys import PublicKey

ROOT: Final = "bc/v1"
READINGS_FILTER: Final = f"{ROOT}/+/+/+/r"

_LEVEL: Final = "([^/+#]{1,64})"
_READINGS: Final = re.compile(f"{ROOT}/{_LEVEL}/{_LEVEL}/([0-9a-f]{{64}})/r")


class DevicePlace(NamedTuple):
    """Where a device stands, as its topic says."""

    plant: str
    line: str
    device: PublicKey


def readings_topic(plant: str, line: str, device: PublicKey) -> str:
    """Name where a device publishes its envelopes."""
    return f"{ROOT}/{plant}/{line}/{device.hex()}/r"


def state_topic(plant: str, line: str, device: PublicKey) -> str:
    """Name where a device's birth and last will are kept."""
    return f"{ROOT}/{plant}/{line}/{device.hex()}/state"


def receipt_topic(device: PublicKey) -> str:
    """Name where a device's receipts are kept."""
    return f"{ROOT}/receipt/{device.hex()}"


def shared_filter(group: str) -> str:
    """Name the filter of a group of gateways that share the load; no group, no sharing."""
    return f"$share/{group}/{READINGS_FILTER}" if group else READINGS_FILTER


def parse_topic(topic: str) -> DevicePlace:
    """Read a topic of readings; raise `WrongTopic`."""
    match = _READINGS.fullmatch(topic)
    if match is None:
        raise WrongTopic(f"{topic[:200]!r} is not {ROOT}/PLANT/LINE/DEVICE/r with a key in hex")
    return DevicePlace(match[1], match[2], PublicKey(bytes.fromhex(match[3])))
