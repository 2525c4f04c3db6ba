"""Nothing goes to another machine in the clear, unless somebody has said so; TLS is 1.3."""

import asyncio
import socket
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from api.config import ApiConfig
from api.errors import ConfigFault
from api.http.app import create_app
from api.transport import check_ways, plain_ways, tls_of
from node.httpd.admission import Admission
from node.httpd.limits import HttpLimits
from node.httpd.server import QuietServer, bind
from tests.support.api.postgres import TestDatabase
from tests.support.api.service_rig import ServiceRig, running_rig, until
from tests.support.minting.certificates import Authority

HERE = "postgresql://u:very-secret@127.0.0.1:5432/db"


def config(**changes: object) -> ApiConfig:
    fields: dict[str, object] = {"node_urls": ("http://127.0.0.1:1",), "database_url": HERE}
    return ApiConfig.model_validate({**fields, **changes})


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"node_urls": ("http://[::1]:1", "http://localhost:1", "https://node.example")},
        {"database_url": "postgresql://u@db.example/db?sslmode=verify-full"},
        {"database_url": "postgresql://u@localhost,[::1]:5432/db"},
        {"database_url": "postgresql:///db?host=/run/postgresql"},
        {"host": "::1"},
        {"host": "0.0.0.0", "tls_certificate": "a.crt", "tls_key": "a.key"},
        {"public_scheme": "https", "public_host": "milk.example"},
        {"public_scheme": "http", "public_host": "127.0.0.1:8080"},
    ],
)
def test_what_stays_here_or_is_encrypted_is_fine(changes: dict[str, object]) -> None:
    assert check_ways(config(**changes)) == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"node_urls": ("http://10.0.0.7:26002",)}, r"node_urls.* 10\.0\.0\.7: write https://"),
        ({"node_urls": ("http://127.0.0.1.example:1",)}, "127.0.0.1.example"),
        ({"database_url": "postgresql://u:very-secret@db.example/db"}, "db.example: add sslmode"),
        ({"database_url": "postgresql://u@db.example/db?sslmode=require"}, "verify-full"),
        ({"database_url": "postgresql://u@127.0.0.1,10.0.0.9:5432/db"}, "10.0.0.9"),
        ({"database_url": "postgresql:///db?host=10.0.0.9"}, "10.0.0.9"),
        ({"host": "0.0.0.0"}, "host: what callers send would go to 0.0.0.0: name tls_certificate"),
        ({"public_scheme": "http", "public_host": "milk.example"}, 'milk.example: write "https"'),
    ],
)
def test_what_would_go_in_the_clear_is_refused_with_what_where_and_how_to_mend(
    changes: dict[str, object], told: str
) -> None:
    with pytest.raises(ConfigFault, match=told) as refused:
        check_ways(config(**changes))
    assert "allow_plaintext = true" in str(refused.value)
    assert "very-secret" not in str(refused.value)
    (way,) = check_ways(config(**changes, allow_plaintext=True))
    assert "very-secret" not in repr(way)


def test_every_way_is_told_at_once() -> None:
    ways = plain_ways(config(node_urls=("http://a.example", "http://b.example"), host="0.0.0.0"))
    assert [way.where for way in ways] == ["a.example", "b.example", "0.0.0.0"]


def test_a_certificate_and_its_key_go_together() -> None:
    with pytest.raises(ValueError, match="go together"):
        config(tls_certificate="a.crt")


def test_a_certificate_that_can_not_be_used_is_told_by_its_name(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    authority.issue("me")
    names = {"tls_certificate": str(tmp_path / "me.crt"), "tls_key": str(tmp_path / "me.key")}
    (tmp_path / "me.key").chmod(0o600)
    assert tls_of(config(**names)) is not None
    assert tls_of(config()) is None
    (tmp_path / "me.key").chmod(0o644)
    with pytest.raises(ConfigFault, match="chmod 600"):
        tls_of(config(**names))
    authority.issue("locked", password=b"sesame")
    (tmp_path / "locked.key").chmod(0o600)
    locked = {name: path.replace("me.", "locked.") for name, path in names.items()}
    with pytest.raises(ConfigFault, match="the key is encrypted"):
        tls_of(config(**locked))
    with pytest.raises(ConfigFault, match="nowhere"):
        tls_of(config(**{**names, "tls_key": str(tmp_path / "nowhere")}))
    (tmp_path / "me.key").chmod(0o600)
    with pytest.raises(ConfigFault, match=r"ca\.crt"):
        tls_of(config(**{**names, "tls_certificate": str(tmp_path / "ca.crt")}))


async def hello(scope: object, receive: object, send: Callable[..., Awaitable[None]]) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


def test_what_is_served_directly_speaks_tls_1_3_and_nothing_else(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    authority.issue("me")
    (tmp_path / "me.key").chmod(0o600)
    names = {"tls_certificate": str(tmp_path / "me.crt"), "tls_key": str(tmp_path / "me.key")}

    async def run() -> None:
        listener = bind("127.0.0.1", 0)
        server = QuietServer(
            hello,  # type: ignore[arg-type]
            Admission(HttpLimits()),
            lifespan="off",
            tls=tls_of(config(**names)),
        )
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        port = listener.getsockname()[1]
        trusted = ssl.create_default_context(cafile=tmp_path / "ca.crt")
        async with httpx.AsyncClient(verify=trusted, trust_env=False) as http:
            answer = await http.get(f"https://127.0.0.1:{port}/")
            assert answer.text == "hello"
            stream = answer.extensions["network_stream"]
            assert stream.get_extra_info("ssl_object").version() == "TLSv1.3"
        older = ssl.create_default_context(cafile=tmp_path / "ca.crt")
        older.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises(httpx.ConnectError):
            async with httpx.AsyncClient(verify=older, trust_env=False) as http:
                await http.get(f"https://127.0.0.1:{port}/")
        said = await asyncio.to_thread(speak_plainly, port)
        assert b"hello" not in said
        server.should_exit = True
        await serving
        listener.close()

    asyncio.run(run())


def test_who_never_shakes_hands_holds_no_place_and_keeps_nobody_out(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    authority.issue("me")
    (tmp_path / "me.key").chmod(0o600)
    names = {"tls_certificate": str(tmp_path / "me.crt"), "tls_key": str(tmp_path / "me.key")}
    most, cut = 8, Counter[str]()

    async def run() -> None:
        limits = HttpLimits(handshakes_max=most, handshake_s=1)
        admission = Admission(limits, on_cut=lambda reason: cut.update([reason]))
        listener, listens = bind("127.0.0.1", 0), asyncio.Event()
        server = QuietServer(
            hello,  # type: ignore[arg-type]
            admission,
            lifespan="off",
            on_serving=listens.set,
            tls=tls_of(config(**names)),
        )
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        await listens.wait()
        port = listener.getsockname()[1]
        silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3 * most)]
        await until(lambda: cut["handshake gave way"] == 2 * most)
        trusted = ssl.create_default_context(cafile=tmp_path / "ca.crt")
        async with httpx.AsyncClient(verify=trusted, trust_env=False) as http:
            assert (await http.get(f"https://127.0.0.1:{port}/")).text == "hello"
            assert len(admission) == 1
            async with asyncio.timeout(5):
                for reader, _ in silent:
                    with suppress(ConnectionError):
                        assert await reader.read() == b""
            assert len(admission.handshakes) == 0
            assert (await http.get(f"https://127.0.0.1:{port}/")).text == "hello"
        for _, writer in silent:
            writer.close()
        server.should_exit = True
        await serving
        listener.close()

    asyncio.run(run())


def speak_plainly(port: int) -> bytes:
    """Ask without TLS; give what comes back."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        with suppress(OSError):
            return plain.recv(4_096)
    return b""


def on_rig(
    database: TestDatabase, act: Callable[[ServiceRig], Awaitable[None]], **changes: object
) -> None:
    async def run() -> None:
        async with running_rig(database, ready=False, **changes) as rig:
            await act(rig)

    asyncio.run(run())


@pytest.mark.parametrize(("scheme", "strict"), [("https", True), ("http", False)])
def test_who_came_by_https_is_told_to_come_by_nothing_else(
    database: TestDatabase, scheme: str, strict: bool
) -> None:
    async def act(rig: ServiceRig) -> None:
        for path in ("/healthz", "/nowhere", "/api/v1/api-keys"):
            answer = await rig.http.get(path)
            assert ("strict-transport-security" in answer.headers) == strict, path

    on_rig(database, act, public_scheme=scheme)


def test_pages_of_other_sites_call_if_they_are_listed_and_never_with_cookies(
    database: TestDatabase,
) -> None:
    wallet, asked = "https://wallet.example", "Access-Control-Request-Method"

    async def act(rig: ServiceRig) -> None:
        transport = httpx.ASGITransport(create_app(rig.service))
        async with httpx.AsyncClient(
            transport=transport, base_url="http://milk.example", trust_env=False
        ) as browser:
            await ask(browser)

    async def ask(http: httpx.AsyncClient) -> None:
        before = {"Origin": wallet, asked: "POST", "Access-Control-Request-Headers": "content-type"}
        path = "/api/v1/orders/01ARZ3NDEKTSV4RRFFQ69G5FAV/payment"
        answer = await http.options(path, headers=before)
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == wallet
        assert "access-control-allow-credentials" not in answer.headers
        said = await http.get("/api/v1/unions", headers={"Origin": wallet})
        assert said.headers["access-control-allow-origin"] == wallet
        assert "Retry-After" in said.headers["access-control-expose-headers"]
        other = await http.get("/api/v1/unions", headers={"Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in other.headers
        refused = {**before, "Origin": "https://evil.example"}
        assert (await http.options(path, headers=refused)).status_code == 400

    async def closed(rig: ServiceRig) -> None:
        said = await rig.http.get("/api/v1/unions", headers={"Origin": wallet})
        assert "access-control-allow-origin" not in said.headers

    on_rig(database, act, cors_origins=(wallet,))
    on_rig(database, closed)
