"""Frames: any cutting of the stream gives the same frames, and no length is believed."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.client.errors import FrameTooLong
from node.client.framing import HEADER_BYTES, HEARTBEAT, FrameDecoder, encode_frame

LIMIT = 64
payloads = st.lists(st.binary(max_size=LIMIT), max_size=20)


@given(payloads, st.lists(st.integers(1, 40), min_size=1, max_size=8))
def test_frames_survive_any_cutting_of_the_stream(frames, sizes):
    stream, decoder, got, turn = b"".join(map(encode_frame, frames)), FrameDecoder(LIMIT), [], 0
    while stream:
        size = sizes[turn % len(sizes)]
        got += decoder.feed(stream[:size])
        stream, turn = stream[size:], turn + 1
    assert got == frames
    assert decoder.held_bytes == 0


def test_a_frame_in_more_than_a_hundred_pieces_is_whole():
    # libp2p's own reader gives up after a hundred partial reads (fault 9).
    decoder, frame = FrameDecoder(1_000), encode_frame(bytes(1_000))
    pieces = [decoder.feed(frame[i : i + 1]) for i in range(len(frame))]
    assert pieces[-1] == [bytes(1_000)]


@given(st.integers(LIMIT + 1, 2**32 - 1), payloads)
def test_a_length_above_the_cap_is_refused_from_its_header_alone(size, before):
    decoder = FrameDecoder(LIMIT)
    decoder.feed(b"".join(map(encode_frame, before)))
    with pytest.raises(FrameTooLong):
        decoder.feed(struct.pack("!I", size))


@given(st.binary(max_size=400))
def test_no_input_makes_the_decoder_hold_more_than_one_frame(data):
    decoder = FrameDecoder(LIMIT)
    try:
        decoder.feed(data)
    except FrameTooLong:
        return
    assert decoder.held_bytes < HEADER_BYTES + LIMIT


def test_a_heartbeat_is_an_empty_frame():
    assert FrameDecoder(0).feed(HEARTBEAT) == [b""]
