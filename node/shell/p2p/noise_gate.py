"""Noise that lets validators in and nobody else.

Refusal happens inside the security upgrade: a stranger never reaches the multiplexer, whose
buffers and streams are where a peer can cost memory (docs/spec/wire.md §1).
"""

from collections.abc import Callable

from libp2p.abc import IRawConnection, ISecureConn
from libp2p.crypto.keys import KeyPair
from libp2p.crypto.x25519 import create_new_key_pair as create_x25519_key_pair
from libp2p.peer.id import ID
from libp2p.security.noise.transport import Transport as NoiseTransport
from libp2p.transport.exceptions import SecurityUpgradeFailure


class GatedNoise(NoiseTransport):
    """Noise XX whose authenticated remote must be one of `allowed`, in both directions."""

    def __init__(
        self, identity: KeyPair, allowed: frozenset[ID], on_refusal: Callable[[ID], None]
    ) -> None:
        super().__init__(identity, noise_privkey=create_x25519_key_pair().private_key)
        self._allowed = allowed
        self._on_refusal = on_refusal

    async def secure_inbound(self, conn: IRawConnection) -> ISecureConn:
        """Shake hands with whoever dialed; close and raise if the key they proved is unknown."""
        secured = await super().secure_inbound(conn)
        remote = secured.get_remote_peer()
        if remote not in self._allowed:
            self._on_refusal(remote)
            await conn.close()
            raise SecurityUpgradeFailure(f"{remote} is not a validator")
        return secured

    async def secure_outbound(self, conn: IRawConnection, peer_id: ID) -> ISecureConn:
        """Shake hands with a validator we dialed; the handshake proves it is the one."""
        if peer_id not in self._allowed:
            raise SecurityUpgradeFailure(f"{peer_id} is not a validator")
        return await super().secure_outbound(conn, peer_id)
