"""The embedded MQTT 5 broker: iotcore's (rumqttd) on loopback, in this process.

For one machine: a plant runs mosquitto or any MQTT 5 cluster instead, and nothing else changes.
Its caps are raised: the defaults (100 messages in flight, 200 a batch) halve the ingest.

Measured trap: rumqttd 0.20 panics, and takes every session with it, when a member of a shared
subscription ($share) leaves a persistent session with unacknowledged messages. Gateways never share
one: each listens to all, since a device's chain must not be parted (`duty`).
"""

import logging
import signal
import socket
import tempfile
import threading
from pathlib import Path
from typing import Final

from iot_minting.errors import Misconfigured

CONNECTIONS_MAX: Final = 4_096
INFLIGHT_MAX: Final = 2_000
PAYLOAD_BYTES_MAX: Final = 20_480
SEGMENT_BYTES: Final = 64 * 1024 * 1024
SEGMENTS_MAX: Final = 10

_CONFIG: Final = """
id = 0

[router]
id = 0
max_connections = {connections}
max_outgoing_packet_count = {inflight}
max_segment_size = {segment_bytes}
max_segment_count = {segments}

[v5.1]
name = "v5"
listen = "{host}:{port}"
next_connection_delay_ms = 1

[v5.1.connections]
connection_timeout_ms = 60000
max_payload_size = {payload_bytes}
max_inflight_count = {inflight}
dynamic_filters = true
"""


def format_broker_config(host: str, port: int) -> str:
    """Write the broker's TOML: one MQTT 5 listener, caps raised."""
    return _CONFIG.format(
        host=host,
        port=port,
        connections=CONNECTIONS_MAX,
        inflight=INFLIGHT_MAX,
        segment_bytes=SEGMENT_BYTES,
        segments=SEGMENTS_MAX,
        payload_bytes=PAYLOAD_BYTES_MAX,
    )


def check_port(host: str, port: int) -> None:
    """Raise `Misconfigured` if the port can't be listened on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise Misconfigured(
                f"the broker can't listen on {host}:{port}: {error.strerror}; choose --port"
            ) from error


def run_broker(host: str, port: int) -> None:
    """Run the broker in this process until SIGTERM or SIGINT."""
    from iotcore import IotCoreBroker  # Loads a native library that nobody else needs.

    # rumqttd logs every packet as an error; what it says is for its own developers.
    logging.getLogger("rumqttd").setLevel(logging.CRITICAL + 1)
    check_port(host, port)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    with tempfile.TemporaryDirectory(prefix="billcoin-broker-") as directory:
        path = Path(directory) / "broker.toml"
        path.write_text(format_broker_config(host, port), "utf-8")
        broker = IotCoreBroker(config_path=str(path))
        # A daemon thread: rumqttd has no way to stop but the end of its process.
        threading.Thread(target=broker.run_forever, name="broker", daemon=True).start()
        ended.wait()
