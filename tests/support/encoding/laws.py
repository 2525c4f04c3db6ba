"""What holds for every type that is encoded, and for everything that reads text or bytes.

Each law takes a `Random` and asserts; the tests draw it from Hypothesis, `tests.fuzz` from a seed.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from random import Random

import msgspec

from api.errors import ConfigFault, MalformedRequest, NotFound
from api.flags.opening import parse_hours
from api.http.bodies import decode_body
from api.payments.schemas import ValidationBody
from api.people import refreshing
from api.people.refreshing import first_token
from api.signing.token import format_token, read_token
from consensus.errors import CorruptJournal
from consensus.journal import frame
from consensus.messages import Vote
from iot_minting.errors import MintFault
from iot_minting.wire.leases import Lease, read_lease, sign_lease
from iot_minting.wire.loans import read_loan, read_want, sign_loan, sign_want
from iot_minting.wire.receipts import (
    SettledEnvelope,
    read_copy,
    read_receipt,
    sign_copy,
    sign_receipt,
)
from iot_minting.wire.topics import copy_topic, lease_topic, loan_topic, readings_topic, want_topic
from ledger.errors.base import LedgerFault
from ledger.errors.store import BadGenesis
from ledger.genesis import format_genesis
from ledger.primitives.codec import decode, encode
from ledger.primitives.errors import BadAddress, BadAmount, BadHex, BadJson, CodecFault
from ledger.primitives.hashing import ZERO_HASH
from ledger.primitives.keys import Signature, format_address, parse_address
from ledger.primitives.strict_json import decode_json
from ledger.transition import apply_block, check_transaction, signature_claims
from ledger.types.transaction import decode_transaction
from node.client.answers import decode_answer
from node.client.errors import FrameTooLong, Unanswered
from node.client.framing import FrameDecoder, encode_frame
from node.core import wire
from node.errors import BadConfig
from node.httpd.problems import Problem
from node.lightclient import ProofFault, format_anchor, verify_proof
from node.lightclient.errors import BadAnchor
from node.pricefeed.errors import QuoteRefused
from node.shell.rpc.bodies import decode_batch
from tests.support.encoding.types import readers
from tests.support.encoding.values import mutant_of, recast, respelled, value_of, with_a_key_twice
from tests.support.ledger.dairy import bill, key
from tests.support.ledger.milking import Milking
from tests.support.ledger.samples import sample_bodies
from tests.support.ledger.town import PURSES, Town
from tests.support.lightclient.proof_chain import CHAIN_ID, ProofChain, payment

LIMIT = 100_000_000
EMBEDS_RAW = {"node.shell.rpc.wire.Answer", "node.shell.rpc.wire.Ask"}
"""They carry another encoding as it is, and do not look into it."""


def decodes(raw: bytes, kind: object) -> bool:
    """Decode, or meet a `CodecFault`; what decodes has no other spelling."""
    try:
        value = decode(raw, kind, LIMIT)
    except CodecFault:
        return False
    assert encode(value) == raw, f"{raw.hex()} decodes to {value!r}, whose encoding it is not"
    return True


def check_type(name: str, kind: object, random: Random) -> None:
    """A value reads back; garbage and mutants are it or a fault; other spellings are refused."""
    raw = encode(value_of(kind, random))
    assert decodes(raw, kind), raw.hex()
    for garbage in (random.randbytes(random.randrange(60)), mutant_of(raw, random)):
        decodes(garbage, kind)
    for other in (recast(raw, random), with_a_key_twice(raw)):
        if other is not None:
            decodes(other, kind)
    longer = respelled(raw, random)
    if longer is not None and name not in EMBEDS_RAW:
        assert not decodes(longer, kind), f"{longer.hex()} was taken for {raw.hex()}"
    if raw and name not in EMBEDS_RAW:
        assert not decodes(raw[: random.randrange(len(raw))], kind), f"a part of {raw.hex()}"
        assert not decodes(raw + b"\xc0", kind), f"{raw.hex()} and more"


@dataclass(frozen=True)
class Reader:
    """How a reader is fed, what it may raise, and something that it reads."""

    feed: Callable[[bytes], object]
    faults: tuple[type[Exception], ...]
    samples: tuple[bytes, ...]

    def check(self, random: Random) -> None:
        """Feed it a mutant of a sample, or garbage; anything but its faults is an error."""
        sample = random.choice(self.samples)
        garbage = random.randbytes(random.randrange(60))
        for raw in (mutant_of(sample, random), garbage):
            with suppress(*self.faults):
                self.feed(raw)


def as_text(read: Callable[[str], object]) -> Callable[[bytes], object]:
    """Feed a reader of text what bytes say, whatever alphabet they are in."""
    return lambda raw: read(raw.decode("latin-1"))


def make_readers() -> dict[str, Reader]:
    """Say for every reader in the code how it is fed; a new one is missing here until told."""
    found, town, chain = readers(), Town(), ProofChain()
    height = chain.add(3)
    proof, anchor = chain.proof(height), chain.anchor()
    paid = encode(payment(0))
    header, body = chain.header(height), encode(chain.bodies[height - 1][0])
    certificate = chain.certify(height)
    vote = Vote(certificate.subject, *certificate.votes[0])
    envelope = Milking(town.dairy).next().collections[0].first
    address = format_address(town.address("alice"), "dbill").encode()
    blocks = wire.Blocks((body,), certificate, height)

    def reader(name: str, *samples: bytes, faults=(CodecFault,), feed=None) -> tuple[str, Reader]:
        return name, Reader(feed or found[name], faults, samples)

    def texts(name: str, *samples: bytes, faults=(), feed=None) -> tuple[str, Reader]:
        return name, Reader(as_text(feed or found[name]), faults, samples)

    told = [
        reader("ledger.genesis.text.parse_genesis", format_genesis(town.dairy.genesis).encode(),
               faults=(BadGenesis,)),
        texts("ledger.primitives.amounts.parse_bill", b"1.8", b"12345", faults=(BadAmount,)),
        texts("ledger.primitives.bech32.decode_bech32m", address, faults=(BadAddress,)),
        texts("ledger.primitives.hexadecimal.parse_hex", paid.hex().encode(), faults=(BadHex,)),
        texts("ledger.primitives.keys.parse_address", address, faults=(BadAddress,),
              feed=lambda text: parse_address(text, "dbill")),
        texts("ledger.primitives.numerals.read_decimal", b"1.5", faults=(ValueError,)),
        texts("ledger.primitives.numerals.read_whole", b"42", faults=(ValueError,)),
        reader("ledger.primitives.strict_json.decode_json", b'{"a": [1, 2.5, "b"], "c": {}}',
               faults=(BadJson,), feed=lambda raw: decode_json(raw, LIMIT)),
        reader("ledger.state.stakes.read_wide", bytes(40), faults=()),
        reader("ledger.store.schema.read_place", bytes(12), faults=()),
        reader("ledger.types.block.decode_block", body),
        reader("ledger.types.reading.decode_envelope", encode(envelope)),
        reader("ledger.types.transaction.decode_transaction", paid),
        reader("consensus.journal.decode_record", encode(vote), encode(certificate)),
        reader("consensus.journal.read", frame([encode(vote)]) + frame([encode(certificate)]),
               faults=(CorruptJournal,)),
        reader("node.lightclient.anchor.parse_anchor", format_anchor(anchor).encode(),
               faults=(BadAnchor,)),
        reader("node.lightclient.types.decode_proof", encode(proof), faults=(ProofFault,),
               feed=lambda raw: verify_proof(raw, anchor, header.time_ms)),
        reader("node.client.answers.decode_answer", encode([1, 2**40]), faults=(Unanswered,),
               feed=lambda raw: decode_answer(raw, list[int])),
        reader("node.core.wire.decode_sync", wire.encode_sync(blocks),
               wire.encode_sync(wire.GetBlocks(7))),
        reader("node.core.wire.decode_consensus", wire.encode_consensus(vote),
               wire.encode_consensus(certificate)),
        reader("node.core.wire.decode_batch", encode(wire.TransactionBatch((paid, paid)))),
        reader("node.pricefeed.quotes.read_quote",
               b'{"myr_per_litre": "3.62", "as_of": "2026-11-29T01:00:00Z"}',
               b"as_of,myr_per_litre\n2026-11-28T09:00:00Z,3.60\n", faults=(QuoteRefused,)),
        texts("node.shell.p2p.libp2p_host.parse_listen", b"/ip4/127.0.0.1/tcp/26001",
              faults=(BadConfig,)),
        *_minting_readers(reader, texts),
        *_api_readers(reader, texts),
        *_packing_readers(reader, paid),
    ]  # fmt: skip
    return dict(told)


Told = Callable[..., tuple[str, Reader]]


def _minting_readers(reader: Told, texts: Told) -> list[tuple[str, Reader]]:
    """Feed what devices and gateways hear of each other over the broker."""
    device, ingest = key("device").public, key("ingest")
    settled = SettledEnvelope(1, 2, ZERO_HASH)
    lease = sign_lease(CHAIN_ID, ingest, "plant", Lease(3, ingest.public, 7))
    copied = copy_topic("plant", ingest.public, device)
    return [
        texts("iot_minting.wire.topics.parse_topic",
              readings_topic("plant", "line", device).encode(), faults=(MintFault,)),
        texts("iot_minting.wire.topics.parse_lease_topic", lease_topic("plant").encode()),
        texts("iot_minting.wire.topics.parse_copy_topic", copied.encode()),
        texts("iot_minting.wire.topics.parse_want_topic",
              want_topic("plant", ingest.public).encode()),
        texts("iot_minting.wire.topics.parse_loan_topic",
              loan_topic("plant", ingest.public).encode()),
        reader("iot_minting.wire.loans.read_want",
               encode(sign_want(CHAIN_ID, ingest, ingest.public, device, (1, 2), 7)),
               faults=(MintFault,), feed=lambda raw: read_want(raw, CHAIN_ID, ingest.public)),
        reader("iot_minting.wire.loans.read_loan",
               encode(sign_loan(CHAIN_ID, ingest, ingest.public, device, (1, 2), ())),
               faults=(MintFault,),
               feed=lambda raw: read_loan(raw, CHAIN_ID, ingest.public, (ingest.public,))),
        reader("iot_minting.wire.receipts.read_receipt",
               encode(sign_receipt(CHAIN_ID, ingest, device, settled)), faults=(MintFault,),
               feed=lambda raw: read_receipt(raw, CHAIN_ID, (ingest.public,), device)),
        reader("iot_minting.wire.receipts.read_copy",
               encode(sign_copy(CHAIN_ID, ingest, device, settled)), faults=(MintFault,),
               feed=lambda raw: read_copy(raw, CHAIN_ID, ingest.public, device)),
        reader("iot_minting.wire.leases.read_lease", encode(lease), faults=(MintFault,),
               feed=lambda raw: read_lease(raw, CHAIN_ID, ingest.public, "plant")),
    ]  # fmt: skip


def _packing_readers(reader: Told, paid: bytes) -> list[tuple[str, Reader]]:
    """Feed what reads transactions out of a request's body, or out of a stream."""
    return [
        reader("node.shell.rpc.bodies.decode_batch", b'{"transactions": ["00ff"]}',
               faults=(Problem,), feed=lambda raw: decode_batch(raw, packed=False)),
        reader("packed batch", encode([paid]), faults=(Problem,),
               feed=lambda raw: decode_batch(raw, packed=True)),
        reader("frames", encode_frame(paid) + encode_frame(b""), faults=(FrameTooLong,),
               feed=lambda raw: FrameDecoder(1_000).feed(raw)),
    ]  # fmt: skip


def _api_readers(reader: Told, texts: Told) -> list[tuple[str, Reader]]:
    """Say how the readers of payments are fed."""
    question = b'{"txHash": "%s", "expectedAmount": "1.80", "currency": "BILL"}' % (b"0a" * 32)
    return [
        texts("api.amounts.parse_sen", b"1.80"),
        texts("api.amounts.parse_units", b"1.800000"),
        texts("api.db.address.read_address", b"postgresql://bill:milk@127.0.0.1:5432/bill",
              b"postgresql:///bill?host=/run&sslmode=require", faults=(ConfigFault,)),
        texts("api.flags.opening.parse_hours", b"07:00", faults=(ValueError,),
              feed=lambda text: parse_hours(text, "19:30")),
        texts("api.orders.wallet_routes.parse_ulid", b"01JD0000000000000000000000",
              faults=(NotFound,)),
        texts("api.people.refreshing.read_token",
              first_token(bytes(32), "0" * 26, "1" * 26).encode(),
              feed=lambda text: refreshing.read_token(bytes(32), text)),
        texts("api.signing.token.read_token",
              format_token(key("signer").public, 5, Signature(bytes(64))).encode(),
              feed=lambda text: read_token(text, CHAIN_ID, 1)),
        reader("api.http.bodies.read_json", question, faults=(MalformedRequest,)),
        reader("api.http.bodies.decode_body", question, faults=(MalformedRequest,),
               feed=lambda raw: decode_body(raw, ValidationBody)),
    ]  # fmt: skip


NOT_NAMED_READERS = {"frames", "packed batch"}
"""Readers that are no function of one argument, and so are not found in the code."""


class Programs:
    """Transactions that are well formed and say anything: the law answers each with its code."""

    def __init__(self) -> None:
        self._town = Town()
        self._bodies = sample_bodies(self._town)

    def kinds(self) -> set[type]:
        """Name the types of body that are drawn."""
        return {type(body) for body in self._bodies}

    def check(self, kind: type, random: Random) -> None:
        """Execute a body of this type with a field or all fields drawn at random."""
        body = next(body for body in self._bodies if type(body) is kind)
        drawn = value_of(kind, random)
        if random.random() < 0.7:
            names = random.sample(kind.__struct_fields__, min(1, len(kind.__struct_fields__)))
            body = msgspec.structs.replace(body, **{name: getattr(drawn, name) for name in names})
        else:
            body = drawn
        dairy, state = self._town.dairy, self._town.dairy.state()
        signer = key(random.choice(list(PURSES)))
        transaction = dairy.transaction(body, signer, 0, fee=bill(1))
        raw = encode(transaction)
        with suppress(CodecFault, LedgerFault):
            assert decode_transaction(raw) == transaction
            signature_claims(transaction, dairy.chain_id)
            check_transaction(state, transaction, 1)
        outcome = apply_block(state, dairy.context(), [transaction])
        assert len(outcome.receipts) == 1
