"""The generator's HTTP client, against a real socket."""

import asyncio

import pytest

from loadtest.http_client import Client, RequestFailed

ANSWER = b"HTTP/1.1 %d OK\r\nContent-Length: %d\r\n\r\n%s"


async def read_request(reader):
    head = await reader.readuntil(b"\r\n\r\n")
    size = int(head.partition(b"Content-Length: ")[2].split(b"\r\n")[0])
    return head, await reader.readexactly(size)


def with_server(answer, scenario):
    """Run a scenario against a server that hands each request's bytes to `answer`."""

    async def main():
        served = []

        async def serve(reader, writer):
            served.append(asyncio.current_task())
            try:
                while (said := answer(*await read_request(reader))) is not None:
                    writer.write(said)
            except asyncio.IncompleteReadError:
                pass  # The client has closed.
            writer.close()
            await writer.wait_closed()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        client = Client(f"http://127.0.0.1:{port}", {"X-Test": "yes"})
        try:
            await scenario(client)
        finally:
            client.close()
            await asyncio.gather(*served)
            server.close()
            await server.wait_closed()

    asyncio.run(main())


def test_status_and_body_come_back_over_one_connection():
    seen = []

    def answer(head, body):
        seen.append((head.split(b"\r\n")[0], b"X-Test: yes" in head))
        return ANSWER % (201, len(body), body)

    async def scenario(client):
        for body in (b"one", b"", b"three"):
            assert await client.ask("POST", "/path", body) == (201, body)

    with_server(answer, scenario)
    assert seen == [(b"POST /path HTTP/1.1", True)] * 3


def test_a_connection_that_ends_is_a_fault_and_the_next_request_opens_another():
    calls = []

    def answer(head, body):
        calls.append(1)
        return None if len(calls) == 1 else ANSWER % (200, 2, b"ok")

    async def scenario(client):
        with pytest.raises(RequestFailed):
            await client.ask("GET", "/")
        assert await client.ask("GET", "/") == (200, b"ok")

    with_server(answer, scenario)
