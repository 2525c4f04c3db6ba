"""A device's session: one connection to the broker, over which it publishes and hears receipts.

A lost session is never mended: its client would send its own queue again, beside the journal. The
device opens another in its place.
"""

import json
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import paho.mqtt.client as paho
import structlog
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from iot_minting.device.signer import DeviceSettings
from iot_minting.wire.mqtt import (
    KEEPALIVE_S,
    READING_EXPIRY_S,
    connect_properties,
    make_client,
    publish_properties,
)
from iot_minting.wire.topics import readings_topic, receipt_topic, state_topic
from ledger.primitives.keys import PublicKey

WINDOW_MAX: Final = 500
"""Envelopes on their way without a receipt; the rest waits in the journal."""

log = structlog.get_logger("device")


@dataclass(frozen=True, slots=True)
class SessionEvents:
    """What a session tells its device: it hears now, it heard, it is lost, it is not let in.

    All on paho's thread, but that it is not let in may come from `open`, too.
    """

    listening: Callable[["DeviceSession"], None]
    heard: Callable[["DeviceSession", bytes], None]
    lost: Callable[[], None]
    refused: Callable[[str], None]


class DeviceSession:
    """One connection of a device. `open` it once, `close` it whatever became of it."""

    def __init__(self, settings: DeviceSettings, key: PublicKey, events: SessionEvents) -> None:
        self._settings = settings
        self._key = key
        self._is_answered = False
        self._events = events
        self._readings = readings_topic(settings.plant, settings.line, key)
        self._states = state_topic(settings.plant, settings.line, key)
        self._client = make_client(f"dev-{key.hex()[:40]}", settings.login, retry=False)
        self._client.max_inflight_messages_set(WINDOW_MAX)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_disconnect = self._on_disconnect
        self._client.on_message = self._on_message

    def open(self, boot: int) -> bool:
        """Connect, and leave a last will of this boot; tell whether a broker is there."""
        self._client.will_set(self._states, self._state("lost", boot), qos=1, retain=True)
        try:
            self._client.connect(
                self._settings.broker_host,
                self._settings.broker_port,
                KEEPALIVE_S,
                clean_start=True,
                properties=connect_properties(0),
            )
        except ssl.SSLError as error:
            self._events.refused(str(error))
            return False
        except OSError as error:
            log.debug("broker away", device=self._settings.name, error=str(error))
            return False
        return True

    def start(self) -> None:
        """Let the events come: from here on, on paho's thread."""
        self._client.loop_start()

    def publish(self, raw: bytes, *, resent: bool) -> None:
        """Publish an envelope."""
        properties = publish_properties(READING_EXPIRY_S, resent=resent)
        self._client.publish(self._readings, raw, qos=1, properties=properties)

    def announce(self, boot: int) -> None:
        """Say that the device is on."""
        self._client.publish(self._states, self._state("on", boot), qos=1, retain=True)

    def close(self, boot: int) -> None:
        """Say goodbye if the broker is there, and end."""
        if self._client.is_connected():
            goodbye = self._client.publish(
                self._states, self._state("off", boot), qos=1, retain=True
            )
            goodbye.wait_for_publish(timeout=1)
            self._client.disconnect()
        self._client.loop_stop()

    def _state(self, word: str, boot: int) -> str:
        return json.dumps(
            {
                "state": word,
                "name": self._settings.name,
                "boot": boot,
                "stream": self._settings.stream,
                "unit": self._settings.unit,
                "firmware": self._settings.firmware,
            }
        )

    def _on_connect(
        self,
        client: paho.Client,
        _userdata: object,
        _flags: paho.ConnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        self._is_answered = True
        if reason.is_failure:
            self._events.refused(str(reason))
            self._events.lost()
            return
        client.subscribe(receipt_topic(self._key), qos=1)

    def _on_subscribe(
        self,
        _client: paho.Client,
        _userdata: object,
        _mid: int,
        _reasons: list[ReasonCode],
        _properties: Properties | None,
    ) -> None:
        self._events.listening(self)

    def _on_disconnect(
        self,
        _client: paho.Client,
        _userdata: object,
        _flags: paho.DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if not self._is_answered:  # TLS 1.3 tells a client after the handshake that it may not in.
            self._events.refused(str(reason))
        self._events.lost()

    def _on_message(
        self, _client: paho.Client, _userdata: object, message: paho.MQTTMessage
    ) -> None:
        self._events.heard(self, bytes(message.payload))
