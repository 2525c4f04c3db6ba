"""A gateway's subscription: a session with manual acknowledgement, and paho's two traps.

Measured, both: acknowledge in the order of receipt, or a broker may drop the session; and never
acknowledge across a reconnect, for packet ids are numbered anew. So every message bears the
epoch of its connection, and `ack` of an older epoch does nothing: the broker sends it again.
"""

import logging
import queue
import sys
import threading
import time
from dataclasses import dataclass
from typing import Final

import paho.mqtt.client as paho
import structlog
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from iot_minting.even_clock import EvenClock
from iot_minting.gateway.duty import Duty
from iot_minting.wire.login import ANONYMOUS, BrokerLogin
from iot_minting.wire.mqtt import KEEPALIVE_S, RESENT, connect_properties, make_client
from node.capped_log import CappedLog

log = structlog.get_logger("mint.mqtt")

SESSION_S: Final = 72 * 3_600
"""How long a broker keeps a gateway's session: as long as a backlog may be old."""
QUEUE_MAX: Final = 65_535


@dataclass(frozen=True, slots=True)
class Message:
    """A message as it came, and the connection it came over."""

    epoch: int
    mid: int
    qos: int
    topic: str
    payload: bytes
    arrival_ms: int
    resent: bool = False


class Subscription:
    """A gateway's session: messages come out of `take`, acknowledgements go in by `ack`."""

    def __init__(
        self,
        client_id: str,
        filters: list[str],
        *,
        login: BrokerLogin = ANONYMOUS,
    ) -> None:
        self.clock = EvenClock()
        self._filters = filters
        self._duty = Duty()
        self._is_started = False
        self._queue: queue.Queue[Message] = queue.Queue(QUEUE_MAX)
        self._epoch = 0
        self._lock = threading.Lock()
        self._failures = CappedLog(log)
        self._client = make_client(client_id, login, manual_ack=True)
        self._client.on_connect = self._on_connect
        self._client.on_connect_fail = self._on_connect_fail
        self._client.on_disconnect = self._on_disconnect
        self._client.on_message = self._on_message
        self._client.reconnect_delay_set(1, 5)

    def start(self, host: str, port: int) -> None:
        """Connect, now or as soon as the broker is there, and stay connected.

        What comes before anybody takes it waits here and, unacknowledged, at the broker.
        """
        if self._is_started:
            return
        self._is_started = True
        self._client.connect_async(
            host,
            port,
            KEEPALIVE_S,
            clean_start=False,
            properties=connect_properties(SESSION_S),
        )
        self._client.loop_start()

    def join(self, duty: Duty) -> None:
        """Hear other gateways' words, and speak to them, from now on."""
        self._duty = duty
        duty.start(self.publish)
        if self._client.is_connected():
            self._subscribe_to_words()

    def stop(self) -> None:
        """Leave; the session stays with the broker."""
        self._client.disconnect()
        self._client.loop_stop()

    def take(self, count_max: int, wait_s: float) -> list[Message]:
        """Take up to `count_max` messages; wait at most `wait_s` for the batch to fill."""
        batch: list[Message] = []
        deadline = time.monotonic() + wait_s
        while len(batch) < count_max:
            try:
                batch.append(self._queue.get(timeout=max(0.0, deadline - time.monotonic())))
            except queue.Empty:
                break
        return batch

    def ack(self, message: Message) -> None:
        """Acknowledge, unless the connection it came over is gone."""
        with self._lock:
            if message.epoch == self._epoch and message.qos:
                self._client.ack(message.mid, message.qos)

    def publish(self, topic: str, payload: bytes, qos: int = 1) -> None:
        """Publish a retained message; lost if the broker is away, as is a receipt."""
        if self._client.is_connected():
            self._client.publish(topic, payload, qos, retain=True)

    def send(self, topic: str, payload: bytes) -> None:
        """Send a message that nobody keeps; lost if the broker or its reader is away."""
        if self._client.is_connected():
            self._client.publish(topic, payload, qos=0)

    def _on_connect(
        self,
        client: paho.Client,
        _userdata: object,
        _flags: paho.ConnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            self._failures.log(logging.WARNING, "broker refuses this gateway", reason=str(reason))
            return
        # A session that was kept has its subscriptions, but the configuration may have changed.
        client.subscribe([(name, SubscribeOptions(qos=1)) for name in self._filters])
        self._subscribe_to_words()

    def _subscribe_to_words(self) -> None:
        """Subscribe to other gateways' words. They are never queued: they tell of now."""
        if words := [(name, SubscribeOptions(qos=0)) for name in self._duty.filters]:
            self._client.subscribe(words)
        self._duty.connect()

    def _on_connect_fail(self, _client: paho.Client, _userdata: object) -> None:
        # Called while the fault is handled: a certificate that is not taken is told here alone.
        self._failures.log(logging.WARNING, "broker away", why=str(sys.exception()))

    def _on_disconnect(
        self,
        _client: paho.Client,
        _userdata: object,
        _flags: paho.DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        with self._lock:  # Before paho reconnects: no id of the old connection gets out.
            self._epoch += 1
        self._duty.disconnect()
        if reason.is_failure:
            # rumqttd closes without a reason, so a takeover can only be told as what it may be.
            log.warning(
                "connection to the broker lost, or session taken over by a second gateway with"
                " these keys: keys belong to one home",
                reason=str(reason),
            )

    def _on_message(
        self, _client: paho.Client, _userdata: object, message: paho.MQTTMessage
    ) -> None:
        if self._duty.hear(message.topic, bytes(message.payload)):
            return
        # A full queue blocks paho's thread, and so the broker: that is the back-pressure.
        self._queue.put(
            Message(
                self._epoch,
                message.mid,
                message.qos,
                message.topic,
                bytes(message.payload),
                self.clock.now_ms(),
                RESENT in getattr(message.properties, "UserProperty", ()),
            )
        )
