"""The operations channel: what is raised gets there, once it is there to be told."""

import asyncio
import gc
import json
import stat
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from api.config import load_config, prepare
from api.db.session import migrate, open_engine
from api.errors import ConfigFault
from api.flags.notices import AT_ONCE_MAX, WAITING_MAX, add_notice
from api.flags.slack import SlackChannel, escape
from api.vault.texts import load_slack_url
from tests.support.api.postgres import TestDatabase
from tests.support.api.service_rig import ServiceRig, running_rig, until
from tests.support.api.slack_receiver import Receiver, receiving

UNION = "01ARZ3NDEKTSV4RRFFQ69G5FAV"


class Channel:
    """A channel over a database of its own, at a time that the test says."""

    def __init__(self, url: str, hook: str) -> None:
        self.engine = open_engine(url, 2)
        self.now_ms = 1_000_000
        self.slack = SlackChannel(self.engine, hook, lambda: self.now_ms)

    async def say(self, body: str) -> None:
        async with self.engine.begin() as connection:
            await add_notice(connection, UNION, body, self.now_ms)


def over(database: TestDatabase, act: Callable[[Channel, Receiver], Awaitable[None]]) -> None:
    async def run() -> None:
        with receiving() as receiver:
            async with database.fresh_database() as url, schema(url):
                channel = Channel(url, receiver.url)
                try:
                    await act(channel, receiver)
                finally:
                    await channel.engine.dispose()

    asyncio.run(run())


@asynccontextmanager
async def schema(url: str) -> AsyncIterator[None]:
    """Bring a database's schema up to date."""
    engine = open_engine(url, 1)
    await migrate(engine)
    await engine.dispose()
    yield


def test_notices_are_told_in_their_order_and_in_few_messages(database: TestDatabase) -> None:
    async def act(channel: Channel, receiver: Receiver) -> None:
        for n in range(AT_ONCE_MAX + 1):
            channel.now_ms += 1
            await channel.say(f"notice {n}")
        assert await channel.slack.tell() == AT_ONCE_MAX
        assert await channel.slack.tell() == 1
        assert await channel.slack.tell() == 0
        told = "\n".join(receiver.messages).split("\n")
        assert told == [f"notice {n}" for n in range(AT_ONCE_MAX + 1)]
        assert len(receiver.messages) == 2

    over(database, act)


def test_a_channel_that_is_down_loses_nothing(database: TestDatabase) -> None:
    async def act(channel: Channel, receiver: Receiver) -> None:
        await channel.say("while it was down")
        receiver.answers = [(500, {}), (404, {}), (200, {})]
        assert await channel.slack.tell() == 0
        assert await channel.slack.tell() == 0, "it is left alone for a while"
        assert receiver.answers == [(404, {}), (200, {})]
        channel.now_ms += 2_000
        assert await channel.slack.tell() == 0
        channel.now_ms += 2_000
        assert await channel.slack.tell() == 0, "longer each time"
        channel.now_ms += 3_000
        assert await channel.slack.tell() == 1
        assert receiver.messages == ["while it was down"]

    over(database, act)


def test_a_channel_that_says_when_to_come_back_is_obeyed(database: TestDatabase) -> None:
    async def act(channel: Channel, receiver: Receiver) -> None:
        await channel.say("too many")
        receiver.answers = [(429, {"Retry-After": "30"})]
        assert await channel.slack.tell() == 0
        channel.now_ms += 29_000
        assert await channel.slack.tell() == 0
        channel.now_ms += 1_000
        assert await channel.slack.tell() == 1

    over(database, act)


BROKEN_ANSWERS = {
    "no status line": b"milk\r\n\r\n",
    "less than it says": b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nok",
    "chunks of nothing": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "letters that nobody knows": b"HTTP/1.1 200 OK\r\nContent-Type: text/x; charset=milk\r\n\r\nok",
    "a line without an end": b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n",
    "a hundred heads": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
    "a redirect into a ring": b"HTTP/1.1 302 Found\r\nLocation: http://[::1\r\n\r\n",
    "a wait beyond all numbers": (
        b"HTTP/1.1 429 No\r\nRetry-After: " + b"9" * 5_000 + b"\r\nContent-Length: 0\r\n\r\n"
    ),
    "a wait in other digits": (
        "HTTP/1.1 429 No\r\nRetry-After: \u00b2\r\nContent-Length: 0\r\n\r\n".encode("latin-1")
    ),
}


@pytest.mark.filterwarnings(
    "ignore:unclosed:ResourceWarning"
)  # slack_sdk closes none it can't read
def test_no_answer_of_a_channel_ends_the_worker(database: TestDatabase) -> None:
    """Else one broken proxy before Slack would end every worker in turn."""

    async def act(channel: Channel, receiver: Receiver) -> None:
        await channel.say("kept")
        for name, raw in BROKEN_ANSWERS.items():
            receiver.raws = [raw]
            assert await channel.slack.tell() == 0, name
            assert not receiver.raws, f"{name} was not asked for"
            channel.now_ms += 3_600_000
        assert await channel.slack.tell() == 1
        assert receiver.messages == ["kept"]

    over(database, act)
    gc.collect()


def test_nobody_there_is_put_off_and_no_log_tells_the_address(
    database: TestDatabase,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def act(channel: Channel, receiver: Receiver) -> None:
        nowhere = "http://127.0.0.1:9/services/T0/B0/very-secret"
        for hook in (nowhere, "http://very-secret.invalid/x", "nonsense very-secret"):
            slack = SlackChannel(channel.engine, hook, lambda: channel.now_ms)
            await channel.say("lost?")
            channel.now_ms += 1_000_000
            assert await slack.tell() == 0
        channel.now_ms += 1_000_000
        assert await channel.slack.tell() == 3
        receiver.answers = [(500, {})]
        await channel.say("refused")
        await channel.slack.tell()

    over(database, act)
    # Where a line goes is set up by whoever ran before.
    told = "".join((*capsys.readouterr(), caplog.text))
    assert "channel away" in told
    assert "channel refused" in told
    assert "very-secret" not in told


def test_what_waits_is_bounded(database: TestDatabase) -> None:
    async def act(channel: Channel, _: Receiver) -> None:
        async with channel.engine.begin() as connection:
            for _n in range(WAITING_MAX + 5):
                await add_notice(connection, UNION, "x", channel.now_ms)
        seen = 0
        while took := await channel.slack.tell():
            seen += took
        assert seen == WAITING_MAX

    over(database, act)


def test_a_channel_that_hangs_holds_nobody_up(database: TestDatabase) -> None:
    async def run() -> None:
        with receiving() as receiver:
            receiver.hangs = threading.Event()
            async with running_rig(
                database, slack_url=receiver.url, limits={"flagged_per_minute": 100}
            ) as rig:
                await wrong_payments(rig)
                await rig.service.flags.sweep()
                began_s = time.monotonic()
                await rig.paid(await rig.order())
                assert time.monotonic() - began_s < 5
                receiver.hangs.set()
                await until(lambda: bool(receiver.messages))
            (message,) = receiver.messages
            assert "*failed_validations* at Kiosk: 4 payments" in message
            assert "https://milk.example/api/v1/flags/" in message

    asyncio.run(run())


async def wrong_payments(rig: ServiceRig) -> None:
    order = await rig.order()
    for n in range(4):
        await rig.post(order, await rig.signed(order, units=n + 1))


def test_no_text_is_read_as_a_mention_or_a_link() -> None:
    assert escape("<!channel> & <http://x|y>") == "&lt;!channel&gt; &amp; &lt;http://x|y&gt;"


def slack_file(home: Path, text: str, mode: int = 0o600) -> Path:
    path = home / "secrets" / "slack.url"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def test_the_channel_s_address_is_a_secret_of_the_home(tmp_path: Path) -> None:
    assert load_slack_url(tmp_path) == ""
    path = slack_file(tmp_path, "https://hooks.example/services/T/B/very-secret\n")
    assert load_slack_url(tmp_path).endswith("very-secret")
    path.chmod(0o644)
    with pytest.raises(ConfigFault, match="chmod 600") as open_file:
        load_slack_url(tmp_path)
    refused = [str(open_file.value)]
    for text in ("http://hooks.example/very-secret", "very-secret", "", "a very-secret b"):
        slack_file(tmp_path, text).chmod(stat.S_IRUSR | stat.S_IWUSR)
        with pytest.raises(ConfigFault) as bad:
            load_slack_url(tmp_path)
        refused.append(str(bad.value))
    assert "very-secret" not in json.dumps(refused)


def test_a_home_s_configuration_holds_the_address_in_no_repr(tmp_path: Path) -> None:
    prepare(
        tmp_path,
        node_urls=["http://127.0.0.1:1"],
        database_dir=tmp_path / "db",
        database_port=1,
        port=1,
    )
    assert load_config(tmp_path).slack_url == ""
    slack_file(tmp_path, "https://hooks.example/very-secret")
    config = load_config(tmp_path)
    assert config.slack_url == "https://hooks.example/very-secret"
    assert "very-secret" not in repr(config)
    assert "very-secret" not in str(config.model_dump())
    text = (tmp_path / "config.toml").read_text()
    (tmp_path / "config.toml").write_text('slack_url = "https://x.example/a"\n' + text)
    with pytest.raises(ConfigFault, match=r"stands in secrets/slack\.url"):
        load_config(tmp_path)
