"""Where webhooks go: never into anybody's own network, whatever it is called."""

import asyncio
import socket
from ipaddress import ip_address
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.webhooks.addresses import AddressFault, check_url, may_reach
from api.webhooks.lookups import Lookups
from api.webhooks.sending import Sender
from tests.support.api.webhook_receiver import receiving, status

INSIDE = [
    "127.0.0.1", "127.255.255.254", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1",
    "::1", "fd00::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a00:1",
    "2002:7f00:1::", "2002:c0a8:101::", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1",
    "240.0.0.1", "192.88.99.1", "192.31.196.1", "192.52.193.1", "192.175.48.1",
    "2001:db8::1", "3fff::1", "2001:2::1", "2001:20::1", "100::1", "5f00::1", "4000::1",
    "2620:4f:8000::1", "::ffff:0:a00:1", "::a00:1",
]  # fmt: skip
NOWHERE = [
    "0.0.0.0", "0.1.2.3", "::", "169.254.169.254", "fe80::1", "224.0.0.1", "ff02::1",
    "255.255.255.255", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::",
    "192.0.0.192", "192.0.0.9", "::ffff:192.0.0.192", "64:ff9b::c000:c0", "168.63.129.16",
    "::ffff:168.63.129.16", "100.100.100.200", "2002:6464:64c8::", "fec0::1", "feff::1",
    "fd00:ec2::254", "fd20:ce::254", "fd00:c1::a9fe:a9fe", "fd00:42::42", "64:ff9b:1::a9fe:a9fe",
    "64:ff9b:1:a9fe:a9:fe00::", "2001:0:a9fe:a9fe::1", "::a9fe:a9fe", "::ffff:0:a9fe:a9fe",
]  # fmt: skip
OUTSIDE = [
    "1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "64:ff9b::101:101", "2002:101:101::",
    "::ffff:1.1.1.1", "192.0.1.1", "168.63.129.17", "2a00:1450::1",
]  # fmt: skip


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


def looked_up(host: str) -> Any:
    async def run() -> Any:
        lookups = Lookups(livemode=True)
        try:
            return await lookups.resolve("m", host, 443)
        finally:
            lookups.close()

    return asyncio.run(run())


def test_a_name_with_one_bad_address_is_refused_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    leading_to(monkeypatch, ["1.1.1.1", "10.0.0.1"])
    with pytest.raises(AddressFault) as refused:
        looked_up("shop.example")
    assert refused.value.code == "ADDRESS_REFUSED"


@pytest.mark.parametrize("text", ["127.1", "0x7f000001", "2130706433", "017700000001"])
def test_odd_spellings_of_the_loopback_are_judged_by_where_they_lead(text: str) -> None:
    with pytest.raises(AddressFault):
        looked_up(text)


def test_a_name_is_looked_up_once_and_the_connection_goes_where_it_was_judged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """DNS rebinding: the second answer would lead elsewhere, and nobody asks for it."""

    async def run() -> None:
        async with receiving() as receiver:
            port = receiver.url.split(":")[2].split("/")[0]
            asked = leading_to(monkeypatch, ["127.0.0.1"], ["127.0.0.2"])
            sender = Sender(livemode=False)
            outcome = await sender.send("m", f"http://rebinding.example:{port}/", b"{}", {})
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
                outcome = await sender.send("m", receiver.url, b"{}", {})
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
            assert (await sender.send("m", drips.url, b"", {})).code == "TIMEOUT"
            await sender.close()

    asyncio.run(run())


def test_what_hangs_refuses_or_breaks_has_a_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.webhooks.sending.PHASE_S", 0.2)

    async def run() -> None:
        sender = Sender(livemode=False)
        async with receiving(lambda _: 5.0) as hangs, receiving(lambda _: b"nonsense\r\n") as odd:
            assert (await sender.send("m", hangs.url, b"", {})).code == "TIMEOUT"
            assert (await sender.send("m", odd.url, b"", {})).code == "CONNECTION_BROKEN"
            tls = odd.url.replace("http:", "https:")
            assert (await sender.send("m", tls, b"", {})).code in (
                "BAD_CERTIFICATE",
                "CONNECTION_BROKEN",
            )
        assert (await sender.send("m", "http://127.0.0.1:1/", b"", {})).code == "NOT_CONNECTED"
        assert (await sender.send("m", "http://no.invalid/", b"", {})).code == "NAME_NOT_RESOLVED"
        assert (
            await sender.send("m", "http://169.254.169.254/", b"", {})
        ).code == "ADDRESS_REFUSED"
        live = Sender(livemode=True)
        assert (await live.send("m", "https://localhost/", b"", {})).code == "ADDRESS_REFUSED"
        await sender.close()
        await live.close()

    asyncio.run(run())


def test_whatever_a_receiver_sets_off_is_a_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else it would end every worker in turn."""

    async def run() -> None:
        async def odd(*_: Any, **__: Any) -> None:
            raise LookupError("nobody thought of it")

        monkeypatch.setattr(httpx.AsyncClient, "send", odd)
        sender = Sender(livemode=False)
        tried = await sender.send("m", "http://127.0.0.1:1/", b"", {})
        await sender.close()
        assert tried.code == "CONNECTION_BROKEN"

    asyncio.run(run())
