"""Faults that a caller of a node meets, and those of the framing between the two.

NodeFault
+-- WireFault          a peer's bytes break the framing
|   +-- FrameTooLong     a frame above the channel's cap
+-- BadParameter       a value in a URL that is not what it must be
+-- ClientFault        a request to a node that did not succeed
    +-- NodeUnavailable  no answer: not running, starting, or overloaded; try again
    |   +-- Unanswered     it was handed over all the same, and may have been carried out
    +-- Rejected         the node answered that the request is wrong; do not repeat it
"""

from node.errors import NodeFault


class WireFault(NodeFault):
    """A peer's bytes break the framing."""


class FrameTooLong(WireFault):
    """A frame above the cap of its channel, seen from its header alone."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"a frame of {size} bytes where at most {limit} are allowed")


class BadParameter(NodeFault):
    """A value in a URL that is not what it must be, by the name it has there."""

    def __init__(self, name: str, detail: str) -> None:
        super().__init__(detail)
        self.name = name


class ClientFault(NodeFault):
    """A request to a node that did not succeed."""


class NodeUnavailable(ClientFault):
    """No usable answer: the node isn't running, is starting, or is overloaded. Try again."""


class Unanswered(NodeUnavailable):
    """A request that was handed over and not answered: it may have been carried out, or will be.

    What was handed in is asked for by its id, or handed in again as it is: a transaction takes
    effect once at most.
    """


class Rejected(ClientFault):
    """The node answered that the request is wrong. Repeating it will not help."""

    def __init__(self, code: str, detail: str, status: int) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.status = status
