"""What a wallet does with challenges: it signs them with the keys of its account."""

from api.people.challenges import KeyChallenge, ProofPurpose
from ledger.primitives.keys import Policy, SigningKey


def signed(challenge: dict, *keys: SigningKey, policy: Policy | None = None, **changes: object):
    """Answer a challenge as the document says: make the message anew, compare, sign.

    `changes` make the wallet sign something else than it was asked for.
    """
    asked = KeyChallenge(
        purpose=ProofPurpose(challenge["purpose"]),
        chain_id=bytes.fromhex(challenge["chainId"]),
        host=challenge["host"],
        nonce=bytes.fromhex(challenge["nonce"]),
        expires_ms=challenge["expiresMs"],
    )
    assert asked.message().hex() == challenge["message"]
    fields = {name: getattr(asked, name) for name in KeyChallenge.__slots__}
    message = KeyChallenge(**{**fields, **changes}).message()
    shown = policy or Policy.single(keys[0].public)
    return {
        "policy": {"threshold": shown.threshold, "keys": [key.hex() for key in shown.keys]},
        "signatures": [
            {"key": key.public.hex(), "signature": key.sign(message).hex()} for key in keys
        ],
    }


async def link(member, *keys: SigningKey, policy: Policy | None = None):
    """Link a wallet in the person's own page; give the answer to the proof."""
    begun = await member.ok("POST", "/me/wallet-links")
    proof = signed(begun["challenge"], *keys, policy=policy)
    body = {"unionId": begun["unionId"], **proof}
    return await member.call("PUT", f"/me/wallet-links/{begun['id']}/proof", body)
