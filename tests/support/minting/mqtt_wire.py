"""A bare MQTT client for tests: take one message off the broker, or put one on it."""

import queue
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion


def _connect(port: int) -> mqtt.Client:
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    client.connect("127.0.0.1", port)
    return client


def capture(port: int, pattern: str, timeout_s: float) -> tuple[str, bytes]:
    """Give the topic and payload of the next message that fits."""
    found: queue.Queue[tuple[str, bytes]] = queue.Queue()
    client = _connect(port)
    client.on_connect = lambda *_: client.subscribe(pattern, qos=1)
    client.on_message = lambda _client, _data, message: found.put((message.topic, message.payload))
    client.loop_start()
    try:
        return found.get(timeout=timeout_s)
    finally:
        client.disconnect()
        client.loop_stop()


def publish(port: int, topic: str, payload: bytes, timeout_s: float = 10.0) -> None:
    """Publish at QoS 1 and wait for the broker's acknowledgement."""
    client = _connect(port)
    client.loop_start()
    try:
        message = client.publish(topic, payload, qos=1)
        message.wait_for_publish(timeout_s)
        assert message.is_published()
    finally:
        client.disconnect()
        client.loop_stop()


@contextmanager
def listening(port: int, pattern: str, hear: Callable[[str, bytes], None]) -> Iterator[None]:
    """Hand over every message that fits, for a while."""
    client = _connect(port)
    client.on_connect = lambda *_: client.subscribe(pattern, qos=1)
    client.on_message = lambda _client, _data, message: hear(message.topic, message.payload)
    client.loop_start()
    try:
        yield
    finally:
        client.disconnect()
        client.loop_stop()
