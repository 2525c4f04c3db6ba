"""Prometheus metrics of the gateway, served on a loopback port."""

from prometheus_client import Counter, Gauge, Histogram

ACCEPTED = Counter("billcoin_mint_envelopes_accepted_total", "Envelopes stored as evidence")
REFUSED = Counter(
    "billcoin_mint_envelopes_refused_total", "Envelopes put into quarantine", ["code"]
)
REPEATED = Counter("billcoin_mint_envelopes_repeated_total", "Envelopes that came again")
PUT_OFF = Counter(
    "billcoin_mint_envelopes_put_off_total", "Envelopes that came too fast, and come again"
)
NOT_KEPT = Counter(
    "billcoin_mint_refusals_not_kept_total", "Refused envelopes that came too fast to be kept"
)
STORE_SIZE = Gauge("billcoin_mint_store_bytes", "What the gateway's file holds")
STORE_FULL = Gauge("billcoin_mint_store_full", "1 if nothing more is taken for want of room")
INGEST_SECONDS = Histogram(
    "billcoin_mint_ingest_seconds",
    "From an envelope's arrival to its durable commit and acknowledgement",
    buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
)
MINTED_LITRES = Gauge("billcoin_mint_litres", "Litres that are final on the chain by this MMU")
PLANTS_HELD = Gauge("billcoin_mint_plants_held", "Plants that this gateway acts for beside peers")
BORROWS = Gauge(
    "billcoin_mint_devices_behind", "Devices of which another gateway stored more than this one"
)
BORROWED = Counter("billcoin_mint_envelopes_borrowed_total", "Envelopes that other gateways lent")
LENT = Counter("billcoin_mint_envelopes_lent_total", "Envelopes lent to other gateways")
DEVICES = Gauge("billcoin_mint_devices", "Devices registered on the chain")
WAITING = Gauge("billcoin_mint_waiting", "Lines and meters that wait, by what for", ["reason"])
LETTERS = Gauge("billcoin_mint_letters", "Letters to the chain", ["what", "state"])
