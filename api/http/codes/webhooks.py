"""Codes about webhooks: where events may go, and to how many places."""

from typing import Final

from api.http.codes.entry import ProblemCode

CODES: Final = (
    ProblemCode(
        "BAD_WEBHOOK_URL",
        422,
        "Nothing is sent to this address",
        "Tiada apa-apa dihantar ke alamat ini",
        "A webhook's URL must be https, on port 443, and lead to a public address; its pointer "
        "says what is wrong. On a chain of development, http, other ports and private addresses "
        "pass, too.",
        "Name an address that the internet reaches.",
    ),
    ProblemCode(
        "TOO_MANY_ENDPOINTS",
        409,
        "The merchant has as many endpoints as it may",
        "Peniaga telah mencapai had bilangan titik akhir",
        "The merchant has as many webhook endpoints as it may have.",
        "Delete one that nothing listens at any more.",
    ),
    ProblemCode(
        "ENDPOINT_DISABLED",
        409,
        "The endpoint is disabled",
        "Titik akhir ini dimatikan",
        "Nothing is sent to an endpoint that is disabled, not even a test or a replay.",
        'Enable it (PATCH with `"state": "enabled"`), and replay what it missed.',
    ),
)
