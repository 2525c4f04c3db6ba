"""Faults of the node: what an operator, a peer or a caller did, or what the machine lacks.

NodeFault
+-- BadConfig          a configuration that cannot be used, and which field is wrong
+-- BadArgument        a word of a command that is not what it must be
+-- BadKeyFile         a key file that is missing, unreadable, or readable by others
+-- HomeTaken          another process runs in the home
+-- PortTaken          the port to listen on is in use
+-- JournalFault
|   +-- JournalDamaged   records before the tail do not check: this node must not vote
|   +-- JournalExists    a journal was to be begun over another
|   +-- JournalFailed    the disk refused a write or a sync: the process ends
+-- WireFault, ClientFault   in `node.client.errors`
"""

from pathlib import Path


class NodeFault(Exception):
    """Something outside this program is not as the node needs it."""


class BadConfig(NodeFault):
    """A configuration that cannot be used."""


class BadArgument(NodeFault):
    """A word of a command that is not what it must be."""


class BadKeyFile(NodeFault):
    """A key file that is missing, malformed, or readable by others."""


class HomeTaken(NodeFault):
    """Another process runs in the home, and two would undo each other's work."""

    def __init__(self, home: Path, holder: str) -> None:
        super().__init__(
            f"{home} is in use by {holder}. Stop it first, or give this one a home of its own"
        )
        self.home = home


class PortTaken(NodeFault):
    """The port to listen on is in use."""

    def __init__(self, port: int, by: str) -> None:
        super().__init__(f"port {port} is in use by {by}: stop it, or set another port in config")
        self.port = port


class JournalFault(NodeFault):
    """The journal can't be trusted or written."""


class JournalDamaged(JournalFault):
    """Records that were once synced do not check: this node must not vote on their word."""


class JournalExists(JournalFault):
    """A journal was to be begun where there is one, or what is left of one."""


class JournalFailed(JournalFault):
    """The disk refused a write or a sync. What it kept is unknown, so the process ends."""
