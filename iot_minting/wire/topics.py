"""MQTT topics: where readings, receipts and gateways' words go (docs/spec/minting.md §2).

A topic is a hint for routing, never evidence: what counts is in the signed body.
"""

import re
from typing import Final, NamedTuple

from iot_minting.errors import WrongTopic
from ledger.primitives.keys import PublicKey

ROOT: Final = "bc/v1"
LEASES_FILTER: Final = f"{ROOT}/lease/+"
COPIES_FILTER: Final = f"{ROOT}/copied/+/+/+"
WANTS_FILTER: Final = f"{ROOT}/want/+/+"
WORDS: Final = (f"{ROOT}/lease/", f"{ROOT}/copied/", f"{ROOT}/want/", f"{ROOT}/loan/")
"""How topics begin under which gateways speak to each other."""

_LEVEL: Final = "([^/+#]{1,64})"
_KEY: Final = "([0-9a-f]{64})"
_READINGS: Final = re.compile(f"{ROOT}/{_LEVEL}/{_LEVEL}/{_KEY}/r")
_LEASE: Final = re.compile(f"{ROOT}/lease/{_LEVEL}")
_COPY: Final = re.compile(f"{ROOT}/copied/{_LEVEL}/{_KEY}/{_KEY}")
_WANT: Final = re.compile(f"{ROOT}/want/{_LEVEL}/{_KEY}")
_LOAN: Final = re.compile(f"{ROOT}/loan/{_LEVEL}/{_KEY}")


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


def readings_filter(plant: str = "+") -> str:
    """Name the filter of a plant's readings; of all plants' if none is said."""
    return f"{ROOT}/{plant}/+/+/r"


def lease_topic(plant: str) -> str:
    """Name where a plant's lease is kept."""
    return f"{ROOT}/lease/{plant}"


def copy_topic(plant: str, ingest: PublicKey, device: PublicKey) -> str:
    """Name where a gateway keeps its word on how far it stored a device's chain."""
    return f"{ROOT}/copied/{plant}/{ingest.hex()}/{device.hex()}"


def want_topic(plant: str, asker: PublicKey) -> str:
    """Name where a gateway tells what it wants of a plant's readings."""
    return f"{ROOT}/want/{plant}/{asker.hex()}"


def loan_topic(plant: str, asker: PublicKey) -> str:
    """Name where a gateway is lent a plant's readings."""
    return f"{ROOT}/loan/{plant}/{asker.hex()}"


def loans_filter(asker: PublicKey) -> str:
    """Name the filter of what a gateway is lent."""
    return loan_topic("+", asker)


def parse_want_topic(topic: str) -> PublicKey | None:
    """Name the gateway whose wants are told there; None if none are."""
    match = _WANT.fullmatch(topic)
    return None if match is None else PublicKey(bytes.fromhex(match[2]))


def parse_loan_topic(topic: str) -> PublicKey | None:
    """Name the gateway that is lent something there; None if none is."""
    match = _LOAN.fullmatch(topic)
    return None if match is None else PublicKey(bytes.fromhex(match[2]))


def parse_lease_topic(topic: str) -> str | None:
    """Name the plant whose lease is kept there; None if none is."""
    match = _LEASE.fullmatch(topic)
    return None if match is None else match[1]


def parse_copy_topic(topic: str) -> tuple[PublicKey, PublicKey] | None:
    """Name the gateway and the device whose copies are told there; None if none are."""
    match = _COPY.fullmatch(topic)
    if match is None:
        return None
    return PublicKey(bytes.fromhex(match[2])), PublicKey(bytes.fromhex(match[3]))


def parse_topic(topic: str) -> DevicePlace:
    """Read a topic of readings; raise `WrongTopic`."""
    match = _READINGS.fullmatch(topic)
    if match is None:
        raise WrongTopic(f"{topic[:200]!r} is not {ROOT}/PLANT/LINE/DEVICE/r with a key in hex")
    return DevicePlace(match[1], match[2], PublicKey(bytes.fromhex(match[3])))
