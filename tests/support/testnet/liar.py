"""An attestor that lies: it answers every window at once, and never with a word of its own key."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count, cycle
from threading import Thread

from iot_minting.wire.windows import REQUEST_BYTES_MAX, WindowAnswer, WindowRefusal, WindowRequest
from ledger.evidence import claimed_envelopes, evidence_root
from ledger.primitives.codec import decode, encode
from ledger.primitives.keys import PublicKey, Signature
from ledger.types.window import WindowAttestation

GARBAGE = Signature(bytes(range(64)))


class Liar:
    """How often it was asked, and where it listens."""

    def __init__(self, key: PublicKey, chain_id: bytes) -> None:
        self._key, self._chain_id = key, chain_id
        self._lies = cycle((self._sign, self._refuse, self._babble))
        self._asked = count(1)
        self.asked = 0
        self.url = ""

    def answer(self, raw: bytes) -> bytes:
        """Lie about a window, each time in another way."""
        self.asked = next(self._asked)
        return next(self._lies)(decode(raw, WindowRequest, REQUEST_BYTES_MAX))

    def _sign(self, asked: WindowRequest) -> bytes:
        bundle = {each.device: each.envelopes for each in asked.devices}
        root = evidence_root(self._key, claimed_envelopes(asked.claim, bundle))
        return encode(WindowAnswer(WindowAttestation(self._key, root, GARBAGE), None))

    def _refuse(self, asked: WindowRequest) -> bytes:
        refusal = WindowRefusal(
            self._key, asked.claim.lot_id(), asked.height, "claim_differs", "It lies.", GARBAGE
        )
        return encode(WindowAnswer(None, refusal))

    def _babble(self, asked: WindowRequest) -> bytes:
        return b"\xc1" * 100_000


@contextmanager
def lying(key: PublicKey, chain_id: bytes) -> Iterator[Liar]:
    """Run a liar in place of the attestor of that key."""
    liar = Liar(key, chain_id)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            answer = liar.answer(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.send_header("content-type", "application/msgpack")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever)
    thread.start()
    liar.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield liar
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
