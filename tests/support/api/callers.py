"""Callers of every kind, made up: a rig's gate lets each in under a credential of its own."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from starlette.requests import Request

from api.access.principals import Anonymous, KeyHolder, Person, Principal, SignerKey, Terminal
from api.access.roles import ALL_SCOPES, Role, Scope

MADE_UP = "made-up."
SOON_MS = 2**53


def key(*scopes: str, merchant: str = "shop") -> KeyHolder:
    return KeyHolder(key_id="k", merchant_id=merchant, scopes=frozenset(scopes), livemode=False)


def person(role: Role, until_ms: int = 0, place: str = "place") -> Person:
    return Person(
        user_id="u",
        union_id="union",
        roles={role: place},
        session_id="s",
        stepped_up_until_ms=until_ms,
    )


def till(**more: str) -> Terminal:
    return Terminal(terminal_id="t", merchant_id="shop", union_id="union", token_version=1, **more)


def everybody() -> Iterator[Principal]:
    """Give one principal of each kind that the access table may tell apart."""
    yield Anonymous()
    yield key()
    yield from (key(scope) for scope in Scope)
    yield key(*ALL_SCOPES)
    yield from (person(role) for role in Role)
    yield from (person(role, SOON_MS) for role in Role)
    yield till()
    yield till(cashier_id="c")
    yield till(cashier_id="c", stepped_up_by="m")
    yield SignerKey(account=b"a" * 32)


@dataclass
class Callers:
    """A reader of made-up credentials: `rig.service.gate.readers.append(callers)`."""

    known: dict[str, Principal] = field(default_factory=dict)

    def reads(self, credential: str) -> bool:
        return credential.startswith(MADE_UP)

    async def principal_of(self, credential: str, request: Request) -> Principal:
        return self.known[credential]

    def headers(self, principal: Principal, **more: str) -> Mapping[str, str]:
        """Give the headers of a principal's request."""
        if isinstance(principal, Anonymous):
            return more
        name = f"{MADE_UP}{len(self.known)}"
        self.known[name] = principal
        return {"Authorization": f"Bearer {name}", **more}
