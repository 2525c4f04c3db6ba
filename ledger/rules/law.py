"""The shape of a law: one type of body, who may send it, what it does, whom it concerns.

Each family's module ends with its laws; `ledger.rules` joins them to one table. A law is a row:

- `by` names the roles of which its sender needs one; empty means anyone, or that the body's own
  rules tell.
- `check` says without a block what can be said, for a mempool; `apply` repeats it and does the
  rest. A body without a check is judged in its block, but for its sender's role.
- `names` lists the accounts in the body whose history it belongs to, whatever becomes of it.
- `claims` lists the signatures that it shows beside its sender's.
- `returns_fee` tells, of the state before it, whether its fee comes back if it is carried out.
"""

from collections.abc import Callable, Iterable
from typing import TypeVar, cast

from ledger.errors.registry import RoleMissing
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import Address
from ledger.rules.claims import Claim
from ledger.rules.context import BlockContext, Call
from ledger.state.overlay import Overlay, Reader
from ledger.state.records import Role
from ledger.state.tables import has_role

B = TypeVar("B")


def require_role(reader: Reader, sender: Address, *roles: Role) -> None:
    """Raise `RoleMissing` unless the sender holds one of the roles."""
    if not any(has_role(reader, role, sender) for role in roles):
        raise RoleMissing(role=" or ".join(role.value for role in roles))


class Law:
    """The law of one type of body, `kind`, and of no other."""

    __slots__ = ("_apply", "_check", "_claims", "_names", "_returns_fee", "by", "kind")

    def __init__(
        self,
        kind: type[B],
        apply: Callable[[Overlay, BlockContext, Call, B], None],
        check: Callable[[Reader, Call, B], object] | None = None,
        *,
        by: tuple[Role, ...] = (),
        names: Callable[[B], Iterable[Address]] | None = None,
        claims: Callable[[B, Address, Hash], list[Claim]] | None = None,
        returns_fee: Callable[[Reader, B], bool] | None = None,
    ) -> None:
        self.kind: type[object] = kind
        self.by = by
        # They take any body as far as types can tell; each call below makes sure of its kind.
        self._apply = cast(Callable[[Overlay, BlockContext, Call, object], None], apply)
        self._check = cast(Callable[[Reader, Call, object], object] | None, check)
        self._names = cast(Callable[[object], Iterable[Address]] | None, names)
        self._claims = cast(Callable[[object, Address, Hash], list[Claim]] | None, claims)
        self._returns_fee = cast(Callable[[Reader, object], bool] | None, returns_fee)

    def check(self, reader: Reader, call: Call, body: object) -> None:
        """Raise the `Refused` fault that a body would meet now, as far as no block is needed."""
        assert isinstance(body, self.kind)
        self._check_sender(reader, call)
        if self._check is not None:
            self._check(reader, call, body)

    def apply(self, overlay: Overlay, context: BlockContext, call: Call, body: object) -> None:
        """Carry a body out; raise a `Refused` fault, and leave the clearing up to the caller."""
        assert isinstance(body, self.kind)
        self._check_sender(overlay, call)
        self._apply(overlay, context, call, body)

    def names(self, body: object) -> Iterable[Address]:
        """List the accounts that a body names, whatever becomes of it."""
        assert isinstance(body, self.kind)
        return () if self._names is None else self._names(body)

    def claims(self, body: object, sender: Address, chain: Hash) -> list[Claim]:
        """List the signatures of devices, attestors and validators that a body shows."""
        assert isinstance(body, self.kind)
        return [] if self._claims is None else self._claims(body, sender, chain)

    def returns_fee(self, reader: Reader, body: object) -> bool:
        """Tell whether a body's fee comes back if it is carried out on this state."""
        assert isinstance(body, self.kind)
        return self._returns_fee is not None and self._returns_fee(reader, body)

    def _check_sender(self, reader: Reader, call: Call) -> None:
        if self.by:
            require_role(reader, call.sender, *self.by)


def law_table(bodies: Iterable[type[object]], laws: Iterable[Law]) -> dict[type[object], Law]:
    """Give the law of each type of body. A body without a law, or a second law, is a bug."""
    table: dict[type[object], Law] = {}
    for law in laws:
        assert law.kind not in table, f"{law.kind.__name__} has two laws"
        table[law.kind] = law
    expected = set(bodies)
    lawless = sorted(kind.__name__ for kind in expected - set(table))
    assert not lawless, f"no law for {', '.join(lawless)}: add it to its family's laws"
    foreign = sorted(kind.__name__ for kind in set(table) - expected)
    assert not foreign, f"a law for {', '.join(foreign)}: add it to its family's bodies"
    return table
