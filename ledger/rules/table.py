"""The shape of an entry in the table of laws: one type of body, who may send it, what it does.

`by` names the roles of which its sender needs one; empty means anyone, or that the body's own law
tells. `check` says without a block what can be said, for a mempool; `apply` repeats it and does
the rest. A type without a check is judged in its block, but for its sender's role.
"""

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from ledger.rules.context import BlockContext, Call
from ledger.rules.registry import require_role
from ledger.state.overlay import Overlay, Reader
from ledger.state.records import Role

B = TypeVar("B")


class Law(Protocol):
    """What the transition asks of an entry, whatever its body's type."""

    @property
    def kind(self) -> type[object]:
        """Name the type of body that this is the law of."""
        ...

    @property
    def by(self) -> tuple[Role, ...]:
        """Name the roles of which the sender needs one; none are needed where empty."""
        ...

    def check(self, reader: Reader, call: Call, body: object) -> None:
        """Raise the `Refused` fault that a body would meet now."""
        ...

    def apply(self, overlay: Overlay, context: BlockContext, call: Call, body: object) -> None:
        """Carry a body out, or raise a `Refused` fault."""
        ...


class Entry(Generic[B]):
    """The law of one type of body."""

    __slots__ = ("_apply", "_check", "_kind", "by", "kind")

    def __init__(
        self,
        kind: type[B],
        apply: Callable[[Overlay, BlockContext, Call, B], None],
        check: Callable[[Reader, Call, B], object] | None = None,
        *,
        by: tuple[Role, ...] = (),
    ) -> None:
        self.kind: type[object] = kind
        self.by = by
        self._kind = kind
        self._apply = apply
        self._check = check

    def check(self, reader: Reader, call: Call, body: object) -> None:
        """Raise the `Refused` fault that a body would meet now."""
        assert isinstance(body, self._kind)
        self._check_sender(reader, call)
        if self._check is not None:
            self._check(reader, call, body)

    def apply(self, overlay: Overlay, context: BlockContext, call: Call, body: object) -> None:
        """Carry a body out, or raise a `Refused` fault."""
        assert isinstance(body, self._kind)
        self._check_sender(overlay, call)
        self._apply(overlay, context, call, body)

    def _check_sender(self, reader: Reader, call: Call) -> None:
        if self.by:
            require_role(reader, call.sender, *self.by)
