"""Values in the URLs of a node: a client writes them, the node reads them, from the same `Form`.

A form stands for one kind of value: an id, an address, a whole number, a place to go on from. What
it writes it reads back, and it reads nothing else: a text with a blank, a sign or a digit of
another alphabet is refused before anything is asked for.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from ledger.primitives.errors import BadAddress, BadHex
from ledger.primitives.hashing import HASH_BYTES
from ledger.primitives.hexadecimal import parse_hex
from ledger.primitives.keys import Address, parse_address
from node.client.errors import BadParameter

NUMBER_MAX: Final = 2**53
"""The most that a number in a URL may be: what every language's floats can hold."""
_DIGITS: Final = re.compile(r"[0-9]{1,20}")

Value = bytes | int
Prefix = Callable[[], str]
"""Gives the network's address prefix; asked only where an address is read."""
Schema = dict[str, str | int]


class Form(Protocol):
    """One kind of value in a URL. A value may have several parts, such as height and index."""

    @property
    def parts(self) -> int:
        """Count the fields that a value fills."""

    @property
    def schema(self) -> Schema:
        """Describe the text in the words of JSON Schema."""

    def write(self, *parts: Value) -> str:
        """Write a value's parts as one text."""

    def read(self, text: str, prefix: Prefix) -> tuple[Value, ...]:
        """Read the parts; raise `ValueError` that says what the text should be."""


@dataclass(frozen=True, slots=True)
class Id:
    """Thirty-two bytes in hex."""

    parts: int = field(default=1, init=False)

    @property
    def schema(self) -> Schema:
        """Describe the text in the words of JSON Schema."""
        return {"type": "string", "pattern": f"^[0-9a-fA-F]{{{2 * HASH_BYTES}}}$"}

    def write(self, *parts: Value) -> str:
        """Write an id."""
        (raw,) = parts
        assert isinstance(raw, bytes), "an id is bytes"
        return raw.hex()

    def read(self, text: str, prefix: Prefix) -> tuple[Value, ...]:
        """Read an id; raise `BadHex`."""
        return (parse_hex(text, HASH_BYTES),)


@dataclass(frozen=True, slots=True)
class AddressText:
    """An account's address: bech32m as people write it, or hex as programs do."""

    parts: int = field(default=1, init=False)

    @property
    def schema(self) -> Schema:
        """Describe the text in the words of JSON Schema."""
        return {"type": "string", "description": "bech32m, or 64 digits of hex"}

    def write(self, *parts: Value) -> str:
        """Write an address, in hex: it needs no prefix."""
        return Id().write(*parts)

    def read(self, text: str, prefix: Prefix) -> tuple[Value, ...]:
        """Read an address; raise `BadAddress`."""
        try:
            return (Address(parse_hex(text, HASH_BYTES)),)
        except BadHex:
            return (parse_address(text, prefix()),)


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number within bounds, in plain digits."""

    least: int
    most: int = NUMBER_MAX
    parts: int = field(default=1, init=False)

    @property
    def schema(self) -> Schema:
        """Describe the number in the words of JSON Schema."""
        return {"type": "integer", "minimum": self.least, "maximum": self.most}

    def write(self, *parts: Value) -> str:
        """Write a number."""
        (number,) = parts
        return str(number)

    def read(self, text: str, prefix: Prefix) -> tuple[Value, ...]:
        """Read a number; raise `ValueError`."""
        number = int(text) if _DIGITS.fullmatch(text) else -1
        if not self.least <= number <= self.most:
            raise ValueError(f"a whole number from {self.least} to {self.most}")
        return (number,)


@dataclass(frozen=True, slots=True)
class PageStart:
    """Where a page begins: HEIGHT, or HEIGHT.MORE after what was seen of that height."""

    more: Form
    first: Value
    """What stands for MORE where it is left out: the least there is."""
    parts: int = field(default=2, init=False)

    @property
    def schema(self) -> Schema:
        """Describe the text in the words of JSON Schema."""
        pattern = str(self.more.schema.get("pattern", "^[0-9]{1,20}$"))
        return {"type": "string", "pattern": rf"^[0-9]{{1,20}}(\.{pattern[1:-1]})?$"}

    def write(self, *parts: Value) -> str:
        """Write a height, and what else tells the place."""
        height, more = parts
        text = Whole(0).write(height)
        return text if more == self.first else f"{text}.{self.more.write(more)}"

    def read(self, text: str, prefix: Prefix) -> tuple[Value, ...]:
        """Read the two; raise `ValueError`."""
        height, dot, more = text.partition(".")
        found = self.more.read(more, prefix) if dot else (self.first,)
        return (*Whole(0).read(height, prefix), *found)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A value in a URL by its name: in the path if that names it, else in the query string."""

    name: str
    form: Form
    default: tuple[Value, ...] = ()
    """The parts where the query string does not name it; none, and it must be there."""

    def read(self, texts: Mapping[str, str], prefix: Prefix) -> tuple[Value, ...]:
        """Read it from the texts of a URL; raise `BadParameter`, which says how to write it."""
        text = texts.get(self.name)
        if text is None:
            assert self.default, f"{self.name} stands in the path"
            return self.default
        try:
            return self.form.read(text, prefix)
        except (BadAddress, BadHex) as fault:
            raise BadParameter(self.name, str(fault)) from fault
        except ValueError as fault:
            raise BadParameter(self.name, f"{self.name} is {fault}") from fault
