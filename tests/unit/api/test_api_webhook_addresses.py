"""Where webhooks go: never into anybody's own network, whatever it is called."""

import asyncio
import socket
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.webhooks.addresses import AddressFault, check_url, may_reach, resolve
from api.webhooks.sending import Sender
from tests.support.api.webhook_receiver import receiving, status

INSIDE = [
    "127.0.0.1", "127.255.255.254", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1",
    "::1", "fd00::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a00:1",
    "2002:7f00:1::", "192.0.2.1", "198.18.0.1", "240.0.0.1", "2001:db8::1",
]  # fmt: skip
NOWHERE = [
    "0.0.0.0", "::", "169.254.169.254", "fe80::1", "224.0.0.1", "ff02::1", "255.255.255.255",
    "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::",
]  # fmt: skip
OUTSIDE = ["1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "64:ff9b::101:101"]


@pytest.mark.parametrize("text", INSIDE + NOWHERE)
def test_a_live_service_reaches_no_address_of_a_network_of_its_own(text: str) -> None:
    assert not may_reach(ip_address(text), livemode=True)


@pytest.mark.parametrize("text", NOWHERE)
def test_no_service_reaches_link_local_addresses_where_clouds_keep_credentials(text: str) -> None:
    assert not may_reach(ip_address(text), livemode=False)


@pytest.mark.parametrize("text", OUTSIDE)
def test_the_internet_is_reached(text: str) -> None:
    assert may_reach(ip_address(text), livemode=True)
    assert may_reach(ip_address(text), livemode=False)


@pytest.mark.parametrize("text", ["127.0.0.1", "::1", "10.0.0.1", "192.168.1.1"])
def test_a_chain_of_development_reaches_ones_own_machine(text: str) -> None:
    assert may_reach(ip_address(text), livemode=False)


@given(st.ip_addresses())
def test_what_a_live_service_reaches_is_global_whatever_it_is_wrapped_in(address: Any) -> None:
    if may_reach(address, livemode=True):
        assert address.is_global or (address.version == 6 and address.sixtofour is not None)
        assert not address.is_multicast


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("ftp://shop.example/", "NOT_A_URL"),
        ("https:///path", "NOT_A_URL"),
        ("https://user:word@shop.example/", "NOT_A_URL"),
        ("https://shop.example/#part", "NOT_A_URL"),
        ("https://shop.example:0/", "NOT_A_URL"),
        ("https://shop.example:99999/", "NOT_A_URL"),
        ("https://shop.example/\r\nX: y", "NOT_A_URL"),
        ("https://shop example/", "NOT_A_URL"),
        ("https://[::1/", "NOT_A_URL"),
        ("https://\u0131.example/", "NOT_A_URL"),
        ("https://shop.example/" + "a" * 500, "NOT_A_URL"),
        ("http://shop.example/", "HTTPS_WANTED"),
        ("https://shop.example:8443/", "HTTPS_WANTED"),
        ("https://127.0.0.1/", "ADDRESS_REFUSED"),
        ("https://[::1]/", "ADDRESS_REFUSED"),
        ("https://169.254.169.254/latest", "ADDRESS_REFUSED"),
    ],
)
def test_a_live_service_takes_https_to_public_hosts_alone(url: str, code: str) -> None:
    with pytest.raises(AddressFault) as refused:
        check_url(url, livemode=True)
    assert refused.value.code == code


@pytest.mark.parametrize("url", ["https://shop.example/hook?a=b", "https://shop.example:443/"])
def test_a_live_service_takes_what_it_should(url: str) -> None:
    assert check_url(url, livemode=True).hostname == "shop.example"


def leading_to(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Let the name service give one answer after the other; give what it was asked."""
    asked: list[str] = []
    left = list(answers)

    def look_up(host: Any, port: int, *_: Any, **__: Any) -> list[Any]:
        asked.append(host if isinstance(host, str) else host.decode())
        found = left.pop(0) if len(left) > 1 else left[0]
        kind = socket.SOCK_STREAM
        return [(socket.AF_INET, kind, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return asked


def test_a_name_with_one_bad_address_is_refused_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    leading_to(monkeypatch, ["1.1.1.1", "10.0.0.1"])
    with pytest.raises(AddressFault) as refused:
        asyncio.run(resolve("shop.example", 443, livemode=True))
    assert refused.value.code == "ADDRESS_REFUSED"


@pytest.mark.parametrize("text", ["127.1", "0x7f000001", "2130706433", "017700000001"])
def test_odd_spellings_of_the_loopback_are_judged_by_where_they_lead(text: str) -> None:
    with pytest.raises(AddressFault):
        asyncio.run(resolve(text, 443, livemode=True))


def test_a_name_is_looked_up_once_and_the_connection_goes_where_it_was_judged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """DNS rebinding: the second answer would lead elsewhere, and nobody asks for it."""

    async def run() -> None:
        async with receiving() as receiver:
            port = receiver.url.split(":")[2].split("/")[0]
            asked = leading_to(monkeypatch, ["127.0.0.1"], ["127.0.0.2"])
            sender = Sender(livemode=False)
            outcome = await sender.send(f"http://rebinding.example:{port}/", b"{}", {})
            await sender.close()
            assert outcome.status == 200
            assert asked == ["rebinding.example"]
            assert receiver.received[0].headers["host"] == f"rebinding.example:{port}"

    asyncio.run(run())


def test_no_redirect_is_followed_and_no_answer_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        async with receiving() as inner:

            def answer(_: object) -> bytes:
                return status(307, f"Location: {inner.url}", body=b"x" * 4_000_000)

            async with receiving(answer) as receiver:
                sender = Sender(livemode=False)
                outcome = await sender.send(receiver.url, b"{}", {})
                await sender.close()
        assert outcome.status == 307
        assert not outcome.taken
        assert inner.received == []

    asyncio.run(run())


def test_an_answer_in_drops_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.webhooks.sending.TRY_S", 0.3)

    async def run() -> None:
        async with receiving(lambda _: [b"HTTP/1.1 200 OK\r\n", *[b"A: b\r\n"] * 50]) as drips:
            sender = Sender(livemode=False)
            assert (await sender.send(drips.url, b"", {})).code == "TIMEOUT"
            await sender.close()

    asyncio.run(run())


def test_what_hangs_refuses_or_breaks_has_a_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.webhooks.sending.PHASE_S", 0.2)

    async def run() -> None:
        sender = Sender(livemode=False)
        async with receiving(lambda _: 5.0) as hangs, receiving(lambda _: b"nonsense\r\n") as odd:
            assert (await sender.send(hangs.url, b"", {})).code == "TIMEOUT"
            assert (await sender.send(odd.url, b"", {})).code == "CONNECTION_BROKEN"
            tls = odd.url.replace("http:", "https:")
            assert (await sender.send(tls, b"", {})).code in (
                "BAD_CERTIFICATE",
                "CONNECTION_BROKEN",
            )
        assert (await sender.send("http://127.0.0.1:1/", b"", {})).code == "NOT_CONNECTED"
        assert (await sender.send("http://no.invalid/", b"", {})).code == "NAME_NOT_RESOLVED"
        assert (await sender.send("http://169.254.169.254/", b"", {})).code == "ADDRESS_REFUSED"
        live = Sender(livemode=True)
        assert (await live.send("https://localhost/", b"", {})).code == "ADDRESS_REFUSED"
        await sender.close()
        await live.close()

    asyncio.run(run())
