"""Our sample of a plant's broker, run as it is but for its folders and its port."""

import queue
import shutil
import socket
import subprocess
from contextlib import contextmanager
from pathlib import Path

from iot_minting.wire.mqtt import connect_properties, make_client
from tests.support.minting.certificates import Authority
from tests.support.minting.parts import until
from tests.support.system.ports import free_port

SAMPLE = Path(__file__).parents[3] / "deploy" / "mosquitto"
ACCEPTED = 0
PROGRAM = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")


class Plant:
    """A folder with the broker's files, and the certificates of everybody at the plant."""

    def __init__(self, folder, acl=""):
        self.folder, self.port = folder, free_port()
        self.certs = folder / "certs"
        self.authority = Authority(self.certs)
        self.authority.issue("broker")
        (folder / "acl").write_text((SAMPLE / "acl").read_text("utf-8") + acl, "utf-8")
        text = (SAMPLE / "mosquitto.conf").read_text("utf-8")
        for old, new in (
            ("listener 8883", f"listener {self.port} 127.0.0.1"),
            ("/etc/mosquitto/", f"{folder}/"),
            ("/var/lib/mosquitto/", f"{folder}/"),
        ):
            assert old in text
            text = text.replace(old, new)
        self.configuration = folder / "mosquitto.conf"
        # Started as root it would become a user who can't read the test's folder.
        self.configuration.write_text(f"{text}\nuser root\n", "utf-8")

    def listens(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


@contextmanager
def running_mosquitto(plant):
    """Run the broker of a plant; end it at the end."""
    with (plant.folder / "mosquitto.log").open("ab") as log:
        process = subprocess.Popen(
            [PROGRAM, "-c", str(plant.configuration)], stdout=log, stderr=log
        )
        try:
            until(lambda: plant.listens() or process.poll() is not None, what="broker")
            assert process.poll() is None, (plant.folder / "mosquitto.log").read_text("utf-8")
            yield process
        finally:
            process.terminate()
            process.wait(timeout=10)


def fault(reason):
    """Give what is wrong; that nobody listens yet is no fault."""
    return reason.value if reason.is_failure else ACCEPTED


class Caller:
    """A bare client: tells how its packets were answered, and what it hears."""

    def __init__(self, plant, login, name="caller"):
        self.answers, self.heard = queue.Queue(), queue.Queue()
        self.client = make_client(name, login, retry=False)
        self.client.on_connect = lambda *given: self.answers.put(("connect", given[3].value))
        self.client.on_publish = lambda *given: self.answers.put(("publish", fault(given[3])))
        self.client.on_subscribe = lambda *given: self.answers.put(("subscribe", given[3][0].value))
        self.client.on_disconnect = lambda *given: self.answers.put(("disconnect", given[3].value))
        self.client.on_message = lambda _client, _data, message: self.heard.put(message)
        self.client.connect(
            "127.0.0.1", plant.port, clean_start=True, properties=connect_properties(0)
        )
        self.client.loop_start()

    def answer(self):
        return self.answers.get(timeout=10)

    def publish(self, topic, payload=b"x", *, retain=False):
        self.client.publish(topic, payload, qos=1, retain=retain)
        return self.answer()

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


@contextmanager
def calling(plant, login, name="caller"):
    caller = Caller(plant, login, name)
    try:
        assert caller.answer() == ("connect", ACCEPTED)
        yield caller
    finally:
        caller.close()
