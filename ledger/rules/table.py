"""The shape of an entry in the table of laws: one type of body, its check and its effect.

`check` says without a block what can be said, for a mempool; `apply` repeats it and does the
rest. A type without a check is judged in its block alone.
"""

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from ledger.rules.context import BlockContext, Call
from ledger.state.overlay import Overlay, Reader

B = TypeVar("B")


class Law(Protocol):
    """What the transition asks of an entry, whatever its body's type."""

    @property
    def kind(self) -> type[object]:
        """Name the type of body that this is the law of."""
        ...

    def check(self, reader: Reader, call: Call, body: object) -> None:
        """Raise the `Refused` fault that a body would meet now."""
        ...

    def apply(self, overlay: Overlay, context: BlockContext, call: Call, body: object) -> None:
        """Carry a body out, or raise a `Refused` fault."""
        ...


class Entry(Generic[B]):
    """The law of one type of body."""

    __slots__ = ("_apply", "_check", "_kind", "kind")

    def __init__(
        self,
        kind: type[B],
        apply: Callable[[Overlay, BlockContext, Call, B], None],
        check: Callable[[Reader, Call, B], object] | None = None,
    ) -> None:
        self.kind: type[object] = kind
        self._kind = kind
        self._apply = apply
        self._check = check

    def check(self, reader: Reader, call: Call, body: object) -> None:
        """Raise the `Refused` fault that a body would meet now."""
        assert isinstance(body, self._kind)
        if self._check is not None:
            self._check(reader, call, body)

    def apply(self, overlay: Overlay, context: BlockContext, call: Call, body: object) -> None:
        """Carry a body out, or raise a `Refused` fault."""
        assert isinstance(body, self._kind)
        self._apply(overlay, context, call, body)
