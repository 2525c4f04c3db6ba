"""The credentials of a development network's people, in the clear, in `HOME/demo.json`.

For whoever tries the service out: two officers, a manager, a cashier, a student, and a paired till.
The service writes them down at its first start (`api.people.demo`); a home without the file has
nobody, and a network in earnest must have none.
"""

import secrets
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct
from ulid import ULID

from api.access.roles import Role
from api.errors import ConfigFault
from api.people.rules import pin_fault
from node.home.key_file import make_seed
from node.home.whole_file import write_whole

DEMO_FILE: Final = "demo.json"
_STAFF: Final = (
    ("officer", Role.UNION_OFFICER, ""),
    ("officer2", Role.UNION_OFFICER, ""),
    ("manager", Role.MANAGER, "10001"),
    ("cashier", Role.CASHIER, "10002"),
    ("student", Role.STUDENT, ""),
)


class DemoPerson(Struct, frozen=True, rename="camel"):
    """Somebody's credentials, in the clear."""

    login_name: str
    password: str
    role: Role
    staff_code: str
    pin: str


class DemoTill(Struct, frozen=True, rename="camel"):
    """A till's id and the secret seed of its key."""

    terminal_id: str
    seed: str


class Demo(Struct, frozen=True, rename="camel"):
    """Who is there, at which merchant."""

    union: str
    merchant: str
    people: tuple[DemoPerson, ...]
    till: DemoTill


def draw_demo(union: str, merchant: str) -> Demo:
    """Draw credentials for everyone."""
    people = tuple(
        DemoPerson(name, secrets.token_urlsafe(12), role, code, _draw_pin() if code else "")
        for name, role, code in _STAFF
    )
    return Demo(union, merchant, people, DemoTill(str(ULID()), make_seed().hex()))


def _draw_pin() -> str:
    while pin_fault(pin := f"{secrets.randbelow(1_000_000):06d}"):
        pass
    return pin


def read_demo(home: Path) -> Demo | None:
    """Read the people of a development home; None if it has none. Raise `ConfigFault`."""
    path = home / DEMO_FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=Demo)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise ConfigFault(f"{path}: {fault}") from fault


def keep_demo(home: Path, union: str, merchant: str) -> None:
    """Write a home's people, unless they are there."""
    path = home / DEMO_FILE
    if not path.exists():
        shown = msgspec.json.format(msgspec.json.encode(draw_demo(union, merchant)), indent=2)
        write_whole(path, shown + b"\n", 0o600)
