"""How long finality takes: a witness that notes when blocks were proposed, paid for and final.

It stands before the oracle, tells it everything, and changes nothing. A block counts as final when
honest nodes with more than half of the honest stake have stored it: neither the luckiest node nor
one that was down decides the figure.
"""

from dataclasses import dataclass, field

from consensus.journal import Record
from consensus.messages import Message, Proposal
from ledger.primitives.hashing import Hash
from ledger.store.schema import Finalized
from node.core import effects as node_effects
from simulator.virtual.process import Process, Witness
from simulator.virtual.simulation import Simulation


@dataclass(slots=True)
class BlockSpread:
    """One block that somebody stored: who has, and when it was final."""

    stake: int = 0
    places: set[int] = field(default_factory=set)
    final_ms: int | None = None


class Stopwatch:
    """Watches one simulation; `waits` are in virtual milliseconds."""

    def __init__(self, simulation: Simulation) -> None:
        self._oracle: Witness = simulation.env.witness
        self._simulation = simulation
        self._proposed_ms: dict[Hash, int] = {}
        self._blocks: dict[Hash, BlockSpread] = {}
        self.height = 0
        """The highest block that is final."""
        self.block_waits_ms: list[int] = []
        """From a block's proposal until it is final."""
        self.payment_waits_ms: list[int] = []
        """From a payment's first submission until its block is final."""
        simulation.env.witness = self
        trusted = [process for process in simulation.processes if process.trusted]
        self._enough = simulation.topology.stake({process.member for process in trusted}) // 2 + 1

    @property
    def unpaid(self) -> int:
        """Count the payments that are not final."""
        return len(self._simulation.workload.begun_ms) - len(self.payment_waits_ms)

    # The witness's duties.

    def began(self, process: Process, records: list[Record]) -> None:
        """Pass it on."""
        self._oracle.began(process, records)

    def synced(self, process: Process, records: list[bytes]) -> None:
        """Pass it on."""
        self._oracle.synced(process, records)

    def saying(self, process: Process, message: Message) -> None:
        """Note when a block was first proposed."""
        if isinstance(message, Proposal):
            block_hash = message.vote.subject.block_hash
            self._proposed_ms.setdefault(block_hash, self._simulation.world.now_ms)
        self._oracle.saying(process, message)

    def committed(self, process: Process, steps: tuple[Finalized, ...]) -> None:
        """Note who stored a block."""
        self._oracle.committed(process, steps)
        if process.trusted:
            for step in steps:
                self._store(process, step)

    def warned(self, process: Process, warning: node_effects.Warn) -> None:
        """Pass it on."""
        self._oracle.warned(process, warning)

    def handled(self, process: Process) -> None:
        """Pass it on."""
        self._oracle.handled(process)

    def _store(self, process: Process, step: Finalized) -> None:
        block_hash = step.block.header.hash()
        block = self._blocks.setdefault(block_hash, BlockSpread())
        if process.place in block.places:
            return  # It had lost what it stored, and stores it again.
        block.places.add(process.place)
        block.stake += self._simulation.topology.stake([process.member])
        if block.final_ms is not None or block.stake < self._enough:
            return
        block.final_ms = now_ms = self._simulation.world.now_ms
        self.height = max(self.height, step.block.header.height)
        if (proposed_ms := self._proposed_ms.get(block_hash)) is not None:
            self.block_waits_ms.append(now_ms - proposed_ms)
        begun_ms = self._simulation.workload.begun_ms
        paid = [begun_ms[receipt.txid] for receipt in step.receipts if receipt.txid in begun_ms]
        self.payment_waits_ms += [now_ms - begun for begun in paid]
