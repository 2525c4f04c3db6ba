"""Sign a payment of an order, from nothing: what a wallet of another house does.

    python sign_payment.py SERVICE ORDER_ID SEED_HEX

It reads the order's offer, asks for the account's next nonce, signs, and hands the transaction in.
Nothing of BillCoin is imported: the encoding is docs/spec/encoding.md, and PyNaCl signs. Amounts
are whole millionths of a BILL.
"""

import sys
from hashlib import blake2b

import httpx
from nacl.signing import SigningKey

ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
BECH32M = 0x2BC830A3


def pack(value: object) -> bytes:
    """Encode a value as canonical MessagePack: the shortest form of each."""
    if isinstance(value, int):
        if value < 0x80:
            return bytes([value])
        for head, size in ((0xCC, 1), (0xCD, 2), (0xCE, 4), (0xCF, 8)):
            if value < 1 << 8 * size:
                return bytes([head]) + value.to_bytes(size, "big")
    if isinstance(value, bytes):
        size = len(value)
        return (
            b"\xc4" + bytes([size]) if size < 256 else b"\xc5" + size.to_bytes(2, "big")
        ) + value
    if isinstance(value, str):
        return bytes([0xA0 + len(value)]) + value.encode("ascii")
    if isinstance(value, list):
        return bytes([0x90 + len(value)]) + b"".join(pack(part) for part in value)
    raise TypeError(type(value))


def bech32m(prefix: str, raw: bytes) -> str:
    """Write an address as people read it."""
    bits = "".join(f"{byte:08b}" for byte in raw)
    bits += "0" * (-len(bits) % 5)
    data = [int(bits[at : at + 5], 2) for at in range(0, len(bits), 5)]
    spread = [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix]
    sum_ = checksum([*spread, *data, 0, 0, 0, 0, 0, 0]) ^ BECH32M
    data += [sum_ >> 5 * (5 - place) & 31 for place in range(6)]
    return prefix + "1" + "".join(ALPHABET[digit] for digit in data)


def checksum(values: list[int]) -> int:
    """Give the polymod of BIP 173."""
    found = 1
    for value in values:
        top = found >> 25
        found = (found & 0x1FFFFFF) << 5 ^ value
        for place, part in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            found ^= part if top >> place & 1 else 0
    return found


def address_bytes(text: str) -> bytes:
    """Read the 32 bytes of an address; a wallet checks the sum before it trusts what was typed."""
    digits = [ALPHABET.index(char) for char in text.rpartition("1")[2]][:-6]
    bits = "".join(f"{digit:05b}" for digit in digits)
    return bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits) // 8 * 8, 8))


def units(bill: str) -> int:
    """Read an amount with six decimals."""
    return int(bill.replace(".", ""))


def digest(domain: str, *parts: bytes) -> bytes:
    """Hash under a domain."""
    return blake2b(domain.encode() + b"".join(parts), digest_size=32).digest()


def sign(offer: dict, nonce: int, key: SigningKey) -> tuple[str, str]:
    """Sign what an offer asks for; give the transaction's hash and its bytes, in hex."""
    policy = [1, [bytes(key.verify_key)]]
    redeem = [[bytes.fromhex(part["lot"]), units(part["bill"])] for part in offer["redeem"]]
    body = [
        "transfer",
        address_bytes(offer["address"]),
        units(offer["amount"]["bill"]),
        bytes.fromhex(offer["reference"]),
        redeem,
    ]
    chain_id, fee = bytes.fromhex(offer["chainId"]), units(offer["fee"])
    intent = pack([chain_id, policy, nonce, fee, offer["validUntilHeight"], body])
    signature = key.sign(b"BILLCOIN/tx/1" + intent).signature
    transaction = bytes([0x92]) + intent + pack([[0, signature]])
    return digest("BILLCOIN/tx/1", intent).hex(), transaction.hex()


def ask(url: str, body: object = None) -> dict:
    """Ask the service, in JSON."""
    headers = {"Accept": "application/json"}
    with httpx.Client(trust_env=False, timeout=30, headers=headers) as http:
        answer = http.get(url) if body is None else http.post(url, json=body)
    answer.raise_for_status()
    return answer.json()


def main(service: str, order_id: str, seed: str) -> None:
    """Pay an order."""
    key = SigningKey(bytes.fromhex(seed))
    offer = ask(f"{service}/p/{order_id}")
    owner = digest("BILLCOIN/address/1", bytes([1, 1]), bytes(key.verify_key))
    account = ask(f"{service}/api/v1/accounts/{bech32m(offer['prefix'], owner)}")
    tx_hash, transaction = sign(offer, account["nonce"], key)
    ask(f"{service}/api/v1/orders/{order_id}/payment", {"transaction": transaction})
    print(tx_hash)


if __name__ == "__main__":
    main(*sys.argv[1:])
