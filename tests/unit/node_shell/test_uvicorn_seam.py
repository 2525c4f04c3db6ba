"""What the HTTP guard reads of uvicorn beyond its documented face: there, in the version we name.

A new version that lacks one of these would break a guarded connection only when an attack comes.
"""

import ast
import asyncio
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from node.httpd import protocol
from node.httpd.admission import Admission
from node.httpd.limits import HttpLimits

ROOT = Path(__file__).resolve().parents[3]
CYCLES = ("cycle", "running", "owed")


async def app(scope, receive, send):
    """Never asked."""


@pytest.fixture
def loop():
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


@pytest.fixture
def plain(loop):
    made = HttpToolsProtocol(Config(app), ServerState(), {}, loop)
    made.on_message_begin()  # Some attributes come with a request.
    return made


@pytest.fixture
def cycle(plain, loop):
    class Wire(asyncio.Transport):
        """A transport that nothing goes through."""

    return RequestResponseCycle(
        scope={"type": "http", "method": "GET"},
        transport=Wire(),
        flow=FlowControl(Wire()),
        logger=plain.logger,
        access_logger=plain.access_logger,
        access_log=False,
        default_headers=[],
        message_event=asyncio.Event(),
        expect_100_continue=False,
        keep_alive=True,
        on_response=plain.on_response_complete,
    )


def read_of(owner: str) -> set[str]:
    """Name the attributes that the guard reads or sets of a name, or of `self.name`."""
    tree = ast.parse(Path(protocol.__file__).read_text("utf-8"))
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) in (owner, f"self.{owner}")
    }


def test_the_guard_reads_only_what_uvicorn_has_of_a_connection(plain, loop):
    guarded = protocol.GuardedProtocol(
        Config(app), ServerState(), {}, loop, admission=Admission(HttpLimits())
    )
    own = (vars(guarded).keys() | vars(protocol.GuardedProtocol).keys()) - {*dir(plain)}
    inherited = read_of("self") - own
    gone = {name for name in inherited if not hasattr(plain, name)}
    assert not gone, f"uvicorn {version('uvicorn')} has them no longer: mend node.httpd.protocol"
    # The calls that it stands between, by their names: httptools and uvicorn make them.
    hooks = ("on_message_begin", "on_headers_complete", "on_body", "_start_asgi_task")
    assert all(hasattr(HttpToolsProtocol, name) for name in (*hooks, "on_response_complete"))
    assert len(inherited) > 10


def test_the_guard_reads_only_what_uvicorn_has_of_a_request(cycle):
    read = set().union(*(read_of(name) for name in CYCLES))
    gone = {name for name in read if not hasattr(cycle, name)}
    assert not gone, f"uvicorn {version('uvicorn')} has them no longer: mend node.httpd.protocol"
    assert len(read) > 4


def test_the_guarded_version_is_named_exactly():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert f"uvicorn=={version('uvicorn')}" in project["project"]["dependencies"]
