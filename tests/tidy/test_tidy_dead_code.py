"""No code that nothing uses. What only a test uses is dead, too: product code serves the product.

Vulture finds a name that is defined and read nowhere. What a framework, a stored format or another
program reads is alive all the same, and stands in `ALIVE` with the reader; a name that vulture no
longer finds must leave the list.
"""

from functools import cache
from pathlib import Path

from vulture import Vulture

from tests.tidy.repository import PACKAGES, ROOT

# Registered by their decorator, called by the framework.
DECORATORS = ["@app.*", "@router.*", "@*.get", "@*.command", "@*.callback", "@*_validator"]

# Who reads them: their names.
ALIVE: dict[str, str] = {
    "a library calls or reads them (pydantic, alembic, uvicorn, paho, asyncio, io, slack)": """
        settings_customise_sources revision down_revision downgrade
        should_exit capture_signals on_connect on_connect_fail on_pre_connect on_subscribe
        on_disconnect SessionExpiryInterval MaximumPacketSize
        ReceiveMaximum MessageExpiryInterval data_received writable
        on_response_complete total_requests disconnected keep_alive timeout_graceful_shutdown
        proxy""",
    "prometheus_client makes its counters of it": "ValueClass",
    "patches on the objects of libp2p": """
        recv_window _auto_tune_and_send_window_update maybe_connect""",
    "a transaction or a stored record may bear these values": """
        FEED VETERINARY TRANSPORT LAB RECEIPT ADULTERATED RESIDUES SPOILED""",
    "they are written out, for people and other programs to read": """
        head_hash python packages memory_mib leased_until""",
    "words of the access table and parts of HTTP that the resources of payments take up": """
        SUPPLIER AUDITOR""",
    "the partners' client: programs of others call it": """
        fulfill refund_told make_endpoint pay_as_customer""",
    "claims of access tokens: whoever verifies one reads them": "iss aud",
    "doors of the law that other programs and tests go through": """
        audit_store fees_units OUTPUT_BYTES""",
    "rows of node.client.queries name these methods of the node's backend": """
        block_at""",
    "a fault of the law whose code whoever verifies signatures gives": "BadSignature",
}


def is_shape(path: Path) -> bool:
    return path.name == "schemas.py" or path.parent.name == "tables"


@cache
def unused() -> dict[str, str]:
    """Give each unused name, and where it stands."""
    reader = Vulture(ignore_decorators=DECORATORS)
    reader.scavenge([str(ROOT / name) for name in PACKAGES])
    return {
        item.name: f"{item.filename.relative_to(ROOT)}:{item.first_lineno} {item.typ} {item.name}"
        for item in reader.get_unused_code()
        # What an answer in JSON holds is read by its clients, what a table holds by statements.
        if not (item.typ == "variable" and is_shape(item.filename))
    }


def alive() -> set[str]:
    return set(" ".join(ALIVE.values()).split())


def test_nothing_stands_in_the_product_that_nothing_uses():
    assert not sorted(place for name, place in unused().items() if name not in alive())


def test_what_is_said_to_be_alive_would_look_dead():
    assert not alive() - set(unused())
