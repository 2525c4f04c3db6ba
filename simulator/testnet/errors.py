"""What can go wrong before a network runs. Each error says what, where, and how to mend it.

TestnetFault
├── LayoutFault       the directory can't be used: another version, half made, not ours
├── PlaceFault        the machine refuses the directory: rights, room
├── AlreadyRunning    another supervisor holds the directory
├── NotRunning        nothing holds it
├── PlannedPortTaken  a port that was asked for is in use
└── MissingProgram    a program that must be started is not there
"""

from pathlib import Path


class TestnetFault(Exception):
    """The testnet can't do what was asked; the text is meant for the person who asked."""

    __test__ = False  # The name is ours: pytest must not take it for a test class.


class LayoutFault(TestnetFault):
    """The directory is not one that this version of the testnet can run."""

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(f"{path}: {what}. Name another with --dir, or remove it to start anew.")


class PlaceFault(TestnetFault):
    """The machine refuses the directory; the text tells why, and what mends it."""


class AlreadyRunning(TestnetFault):
    """Another supervisor runs this directory."""

    def __init__(self, path: Path, pid: int | None) -> None:
        who = f"process {pid}" if pid else "another process"
        super().__init__(
            f"{path}: {who} runs this testnet already. End it with"
            f" `billcoin testnet down --dir {path}`, or name another directory with --dir."
        )


class NotRunning(TestnetFault):
    """No supervisor runs this directory."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path}: no testnet runs here. Start one with `billcoin testnet up --dir {path}`."
        )


class PlannedPortTaken(TestnetFault):
    """A port that was asked for belongs to someone else."""

    def __init__(self, port: int, use: str) -> None:
        super().__init__(
            f"127.0.0.1:{port} is in use, and {use} needs it."
            " Give another --port-base, or none: then free ports are found."
        )


class MissingProgram(TestnetFault):
    """A program that must be started is not there."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path}: there is no such program. Run `make setup`, then try again.")
