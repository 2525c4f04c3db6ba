"""Codes about API keys: which chain they are for, and what becomes of them."""

from typing import Final

from api.http.codes.entry import ProblemCode

CODES: Final = (
    ProblemCode(
        "WRONG_MODE",
        401,
        "This key is for another kind of chain",
        "Kunci ini untuk jenis rantaian yang lain",
        "A `bck_test_` key was sent to a live service, or a `bck_live_` key to one of development.",
        "Use a key of this service. If a live key was sent here by mistake, rotate it.",
    ),
    ProblemCode(
        "TOO_MANY_KEYS",
        409,
        "The merchant has as many keys as it may",
        "Peniaga telah mencapai had bilangan kunci",
        "The merchant has as many keys that are in force as it may have.",
        "Revoke one that nothing uses any more.",
    ),
    ProblemCode(
        "KEY_REVOKED",
        409,
        "The key was revoked",
        "Kunci ini telah dibatalkan",
        "A revoked key gets no new secret.",
        "Make a new key.",
    ),
)
