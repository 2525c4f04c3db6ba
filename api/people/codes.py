"""Codes that people carry by hand: an invitation from the office, a pairing for a till.

Crockford's letters: no I, L, O, U, and what is taken for another reads as it.
"""

import secrets
from typing import Final

from api.vault.blind import Purpose
from api.vault.data_keys import Vault

ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
INVITATION_LETTERS: Final = 20
PAIRING_LETTERS: Final = 8
_READS_AS: Final = str.maketrans({"I": "1", "L": "1", "O": "0", "-": "", " ": ""})


def draw_code(letters: int) -> str:
    """Draw a code, in groups of five or four."""
    text = "".join(secrets.choice(ALPHABET) for _ in range(letters))
    size = 5 if letters % 5 == 0 else 4
    return "-".join(text[start : start + size] for start in range(0, letters, size))


def activation_url(public_url: str, union_id: str, code: str) -> str:
    """Give the address that an invitation leads to.

    After the # a browser sends nothing: no log on the way holds the code.
    """
    return f"{public_url}/activate#union={union_id}&code={code}"


def code_index(vault: Vault, union_id: str, code: str) -> bytes:
    """Give what a code is found by, however it was typed."""
    read = code.upper().translate(_READS_AS)
    return vault.index(Purpose.CODE, f"{union_id}|{read}".encode())
