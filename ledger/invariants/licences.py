"""What must hold of who may do what: roles, and the lists of those who are counted for a quorum."""

from collections.abc import Iterator
from typing import Final

from ledger.invariants.place import Place
from ledger.state.records import Role
from ledger.state.tables import ATTESTORS, CHAIN, ORACLES, ROLES

_HOLDER_BYTES: Final = 32
_LISTS: Final = {ATTESTORS.prefix: Role.ATTESTOR, ORACLES.prefix: Role.ORACLE}
_ROLES: Final = {role.value.encode() for role in Role}


class LicenceRelations:
    """Roles, the counted lists, and the name of the chain that gave them."""

    def __init__(self, place: Place | None) -> None:
        self._place = place
        self._chain_id: bytes | None = None
        self._roles: dict[bytes, bool] = {}
        self._listed: dict[Role, tuple[bytes, ...]] = {}

    def take(self, prefix: bytes, name: bytes, raw: bytes) -> None:
        """Remember a record, if it is one of licences."""
        if prefix == ROLES.prefix:
            self._roles[name] = ROLES.decode(raw)
        elif prefix == CHAIN.prefix:
            self._chain_id = CHAIN.decode(raw)
        elif role := _LISTS.get(prefix):
            self._listed[role] = ATTESTORS.decode(raw).keys

    def findings(self) -> Iterator[str]:
        """Say what does not agree."""
        if self._place is not None and self._chain_id != self._place.chain_id:
            yield "the state is of another chain"
        for name, held in self._roles.items():
            role, zero, holder = name.partition(b"\0")
            if role not in _ROLES or not zero or len(holder) != _HOLDER_BYTES or not held:
                yield f"role {name.hex()} is none that anyone can hold"
        for counted in _LISTS.values():
            prefix = counted.value.encode() + b"\0"
            held_by = sorted(
                name.removeprefix(prefix) for name in self._roles if name.startswith(prefix)
            )
            if list(self._listed.get(counted, ())) != held_by:
                yield f"the list of {counted.value}s is not those who hold the role"
