"""MQTT 5 as both ends speak it: clients of paho's, and the properties that they ask for."""

from typing import Final

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from iot_minting.wire.login import BrokerLogin

KEEPALIVE_S: Final = 30
READING_EXPIRY_S: Final = 72 * 3_600
PACKET_BYTES_MAX: Final = 65_536
"""A larger packet is not for us: a broker that is told so throws it away."""
RECEIVE_MAX: Final = 2_000
"""Messages that a broker may send ahead of the acknowledgements."""
RESENT: Final = ("resent", "1")
"""Marks an envelope that is sent again: a courtesy for the logs, no evidence of anything."""


def make_client(
    client_id: str, login: BrokerLogin, *, manual_ack: bool = False, retry: bool = True
) -> paho.Client:
    """Make a client that speaks MQTT 5 and logs in so."""
    client = paho.Client(
        CallbackAPIVersion.VERSION2,
        client_id=client_id,
        protocol=paho.MQTTv5,
        manual_ack=manual_ack,
        reconnect_on_failure=retry,
    )
    login.enter(client)
    return client


def connect_properties(session_s: int) -> Properties:
    """Ask for a session that outlives the connection by so many seconds."""
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho's
    properties.SessionExpiryInterval = session_s
    properties.ReceiveMaximum = RECEIVE_MAX
    properties.MaximumPacketSize = PACKET_BYTES_MAX
    return properties


def publish_properties(expiry_s: int, *, resent: bool) -> Properties:
    """Let a message expire at the broker; mark one that its device sends again."""
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho's
    properties.MessageExpiryInterval = expiry_s
    if resent:
        properties.UserProperty = RESENT
    return properties
