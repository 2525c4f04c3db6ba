"""A whole gateway in a process of its own, over a chain in another: to be killed.

Arguments: its home, and the socket of a `ChainServer`.
"""

import asyncio
import sys
from pathlib import Path

from iot_minting.gateway.config import read_config, read_keys
from iot_minting.gateway.service import GatewayService
from iot_minting.wire.attestor_client import Asked
from ledger.evidence import check_window, claimed_envelopes, evidence_root
from ledger.types.window import WindowAttestation
from tests.support.ledger.dairy import Dairy
from tests.support.minting.chain_server import FarChain


async def run(home, path):
    chain = FarChain(path)
    genesis = await chain.genesis()
    keys = Dairy().attestor_keys

    def sign(signer, cut, envelopes):
        root = evidence_root(signer.public, envelopes)
        signature = signer.sign(cut.claim.signing_bytes(genesis.chain_id, root))
        return WindowAttestation(signer.public, root, signature)

    async def attest(cut, facts, needed):
        check_window(facts.lines[cut.claim.line], cut.claim, cut.bundle)
        envelopes = claimed_envelopes(cut.claim, cut.bundle)
        return Asked(tuple(sign(each, cut, envelopes) for each in keys[:needed]), (), {})

    service = GatewayService(home, read_config(home), read_keys(home), genesis, chain, attest)
    await service.run(asyncio.Event())


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1]), sys.argv[2]))
