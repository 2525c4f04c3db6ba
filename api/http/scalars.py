"""Single values on the wire: how each is read from JSON, written, and told in OpenAPI.

A `Scalar` is the type of a member of a request's struct. Its `read` gets what the strict reader
made of the JSON (text, a whole number, a `DecimalNumber`, or whatever else was sent) and gives the
value or raises `ValueError` with a code for programs, as in `NOT_A_HASH`. For answers, whose
values are text already, the aliases at the end tell their form.
"""

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, ClassVar, Final, Self

from msgspec import Meta

from api.amounts import parse_sen, parse_units
from ledger.primitives.errors import BadHex, CodecFault
from ledger.primitives.hexadecimal import parse_hex
from ledger.types.transaction import Transaction, decode_transaction

HASH_TEXT: Final = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)
_MYR: Final = r"^(0|[1-9][0-9]{0,8})(\.[0-9]{1,2})?$"
_DAY: Final = r"^(19[7-9][0-9]|2[0-9]{3})-[0-9]{2}-[0-9]{2}$"
_TIME: Final = (
    r"^(19[7-9][0-9]|2[0-9]{3})-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,3})?Z$"
)
_BILL: Final = r"^(0|[1-9][0-9]{0,8})(\.[0-9]{1,6})?$"


@dataclass(frozen=True, slots=True)
class DecimalNumber:
    """A JSON number that is no plain whole number, as it was written: never a float."""

    text: str


class Scalar(ABC):
    """A value with a form of its own on the wire.

    No dataclass: msgspec reads those as objects, by their fields.
    """

    schema: ClassVar[dict[str, object]]
    """What OpenAPI says of it."""

    @classmethod
    @abstractmethod
    def read(cls, value: object) -> Self:
        """Make it of a JSON value; raise `ValueError` with a code."""

    @abstractmethod
    def written(self) -> str:
        """Give the one text that it has: requests are compared by it."""


def _text(value: object) -> str:
    """Take text alone; a number is not text."""
    if value is None:
        raise ValueError("MISSING")
    if not isinstance(value, str):
        raise ValueError("NOT_A_STRING")
    return value


def _number_text(value: object) -> str:
    """Take text, or the text that a number was written with."""
    match value:
        case None:
            raise ValueError("MISSING")
        case str():
            return value
        case DecimalNumber(text):
            return text
        case bool():
            raise ValueError("NOT_AN_AMOUNT")
        case int():
            return str(value)
    raise ValueError("NOT_AN_AMOUNT")


class TxHash(Scalar):
    """A transaction's hash: 64 hex digits, in either case."""

    schema: ClassVar[dict[str, object]] = {
        "type": "string",
        "pattern": "^[0-9a-fA-F]{64}$",
        "description": "A transaction's hash in hex.",
    }

    def __init__(self, raw: bytes) -> None:
        self.raw = raw

    @classmethod
    def read(cls, value: object) -> Self:
        """Read 64 hex digits."""
        text = _text(value)
        if HASH_TEXT.fullmatch(text) is None:
            raise ValueError("NOT_A_HASH")
        return cls(bytes.fromhex(text))

    def written(self) -> str:
        """Write it in small letters."""
        return self.raw.hex()


class Ringgit(Scalar):
    """An amount in RM, held in sen."""

    schema: ClassVar[dict[str, object]] = {
        "type": "string",
        "pattern": _MYR,
        "description": "RM with at most two decimals, as in 1.80.",
    }

    def __init__(self, sen: int) -> None:
        self.sen = sen

    @classmethod
    def read(cls, value: object) -> Self:
        """Read plain ASCII decimals."""
        sen = parse_sen(_number_text(value))
        if sen is None:
            raise ValueError("NOT_AN_AMOUNT")
        return cls(sen)

    def written(self) -> str:
        """Write it in sen."""
        return str(self.sen)


class Litres(Scalar):
    """An amount in BILL, which are litres, held in units."""

    schema: ClassVar[dict[str, object]] = {
        "type": "string",
        "pattern": _BILL,
        "description": "BILL, which are litres, with at most six decimals, as in 0.2.",
    }

    def __init__(self, units: int) -> None:
        self.units = units

    @classmethod
    def read(cls, value: object) -> Self:
        """Read plain ASCII decimals."""
        units = parse_units(_text(value))
        if units is None:
            raise ValueError("NOT_AN_AMOUNT")
        return cls(units)

    def written(self) -> str:
        """Write it in units."""
        return str(self.units)


class AmountText(Scalar):
    """An amount whose currency another member names: still text, of at most six decimals."""

    schema: ClassVar[dict[str, object]] = {
        "type": "string",
        "pattern": _BILL,
        "description": "RM with at most two decimals, as in 1.80; BILL with at most six.",
    }

    def __init__(self, text: str) -> None:
        self.text = text

    @classmethod
    def read(cls, value: object) -> Self:
        """Read plain ASCII decimals."""
        text = _number_text(value)
        if parse_units(text) is None:
            raise ValueError("NOT_AN_AMOUNT")
        return cls(text)

    def written(self) -> str:
        """Write it as it came."""
        return self.text


class SignedBytes(Scalar):
    """A signed transaction in hex, decoded."""

    schema: ClassVar[dict[str, object]] = {
        "type": "string",
        "pattern": "^([0-9a-fA-F]{2})+$",
        "description": "A signed transaction in hex (docs/spec/encoding.md).",
    }

    def __init__(self, raw: bytes, transaction: Transaction) -> None:
        self.raw = raw
        self.transaction = transaction

    @classmethod
    def read(cls, value: object) -> Self:
        """Read hex, and the transaction in it."""
        try:
            raw = parse_hex(_text(value))
            return cls(raw, decode_transaction(raw))
        except (BadHex, CodecFault) as fault:
            raise ValueError("NOT_A_TRANSACTION") from fault

    def written(self) -> str:
        """Write it in small letters."""
        return self.raw.hex()


class Instant(Scalar):
    """A time in UTC, held in milliseconds since 1970."""

    schema: ClassVar[dict[str, object]] = {
        "type": "string",
        "format": "date-time",
        "pattern": _TIME,
        "description": "A time in UTC (RFC 3339), as in 2026-04-10T08:15:23Z.",
    }

    def __init__(self, time_ms: int) -> None:
        self.time_ms = time_ms

    @classmethod
    def read(cls, value: object) -> Self:
        """Read a time that ends in Z."""
        text = _text(value)
        if re.fullmatch(_TIME, text, re.ASCII) is None:
            raise ValueError("NOT_A_TIME")
        try:
            found = datetime.fromisoformat(text)
        except ValueError:
            raise ValueError("NOT_A_TIME") from None
        return cls(int(found.timestamp()) * 1_000 + found.microsecond // 1_000)

    def written(self) -> str:
        """Write it in milliseconds."""
        return str(self.time_ms)


class Day(Scalar):
    """A day of the calendar."""

    schema: ClassVar[dict[str, object]] = {
        "type": "string",
        "format": "date",
        "pattern": _DAY,
        "description": "A day, as in 2026-04-10.",
    }

    def __init__(self, day: date) -> None:
        self.day = day

    @classmethod
    def read(cls, value: object) -> Self:
        """Read year, month and day."""
        text = _text(value)
        if re.fullmatch(_DAY, text, re.ASCII) is None:
            raise ValueError("NOT_A_DAY")
        try:
            return cls(date.fromisoformat(text))
        except ValueError:
            raise ValueError("NOT_A_DAY") from None

    def written(self) -> str:
        """Write it as it came."""
        return self.day.isoformat()


MyrText = Annotated[
    str, Meta(pattern=r"^[0-9]+\.[0-9]{2}$", description="RM with two decimals.", examples=["1.80"])
]
BillText = Annotated[
    str,
    Meta(
        pattern=r"^-?[0-9]+\.[0-9]{6}$",
        description="BILL, which are litres, with six decimals.",
        examples=["0.500000"],
    ),
]
TimeText = Annotated[
    str,
    Meta(
        description="A time in UTC (RFC 3339).",
        examples=["2026-04-10T08:15:23Z"],
        extra_json_schema={"format": "date-time"},
    ),
]
LINE: Final = r"^[^\x00-\x1F\x7F]*$(?!\n)"
"""What people write on one line: no control characters, which databases and logs choke on.

Python's `$` stands before a last line feed, too; what follows it keeps that one out.
"""
UlidText = Annotated[str, Meta(pattern="^[0-9A-HJKMNP-TV-Z]{26}$", description="A ULID.")]
HashText = Annotated[str, Meta(pattern="^[0-9a-f]{64}$", description="32 bytes in hex.")]
Livemode = Annotated[
    bool, Meta(description="Whether the milk is real: false on a chain of development.")
]
AddressText = Annotated[
    str, Meta(pattern="^[a-z]{1,16}1[02-9ac-hj-np-z]+$", description="An account, in bech32m.")
]
