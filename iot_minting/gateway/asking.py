"""Asking: a window's attestations, of the attestors that configuration and chain both know."""

from collections.abc import Awaitable, Callable

import structlog

from iot_minting.gateway.config import MintConfig
from iot_minting.gateway.cutting import CutWindow
from iot_minting.gateway.facts import ChainFacts
from iot_minting.wire.attestor_client import Asked, ask
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import PublicKey, SigningKey

log = structlog.get_logger("mint")

AskAttestors = Callable[[CutWindow, ChainFacts, int], Awaitable[Asked]]
"""Asks for a window's attestations, and how many are needed."""


def ask_by_http(config: MintConfig, chain_id: Hash, mmu: SigningKey) -> AskAttestors:
    """Make what asks the attestors that the configuration names, all at once."""
    urls = {PublicKey(bytes.fromhex(each.key)): each.url for each in config.attestors}

    async def ask_known(cut: CutWindow, facts: ChainFacts, needed: int) -> Asked:
        known = {key: url for key, url in urls.items() if key in facts.attestors}
        timeout_s = config.attest_ms / 1_000
        return await ask(
            known,
            cut.claim,
            cut.bundle,
            chain_id,
            needed,
            timeout_s,
            asker=mmu,
            height=facts.height,
        )

    return ask_known


class UnansweredWindows:
    """Windows that too few attestors answered, though enough may yet: they are asked for again.

    What was signed of another cutting would wait at the attestors in vain, and their room for a
    line is bounded. It is in memory alone: after a restart the window is cut anew.
    """

    def __init__(self) -> None:
        self._cuts: dict[Hash, CutWindow] = {}

    def choose(self, line: Hash, cut: CutWindow) -> CutWindow:
        """Give the window to ask for: the one before, if the line stands where it did."""
        kept = self._cuts.get(line)
        return kept if kept and kept.claim.from_ms == cut.claim.from_ms else cut

    def note(self, line: Hash, cut: CutWindow, asked: Asked, attestors: int, needed: int) -> None:
        """Keep a window that a quorum may yet sign; forget one that it did, or can't."""
        signed, refused = len(asked.attestations), len(asked.refusals)
        if signed < needed <= attestors - refused:
            self._cuts[line] = cut
        else:
            self._cuts.pop(line, None)


def tell_refused(line: Hash, asked: Asked, needed: int) -> None:
    """Log why a window has too few attestations."""
    log.warning(
        "window not attested",
        line=line.hex(),
        signed=len(asked.attestations),
        needed=needed,
        refused=[f"{each.code}: {each.detail}" for each in asked.refusals],
        silent=[f"{key.hex()[:16]}: {why}" for key, why in asked.silent.items()],
    )
