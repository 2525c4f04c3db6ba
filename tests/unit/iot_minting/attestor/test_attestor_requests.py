"""What a request may be: named envelopes, shapes, and bombs that are not judged."""

import pytest

from iot_minting.attestor import judging
from iot_minting.attestor.errors import (
    MissingEnvelopes,
    UnfitRequest,
)
from iot_minting.wire.windows import DeviceBundle, KeptRange
from tests.support.evidence.rig import START_MS, LineRig
from tests.support.minting.desks import Bench
from tests.support.minting.windows import (
    devices_of,
    make_window,
    named,
    request,
)


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path)
    yield made
    made.store.close()


@pytest.fixture
def window(bench):
    return make_window(bench.rig)


def test_named_envelopes_are_taken_from_what_is_kept(bench):
    rig = bench.rig
    rig.run(60)
    first = make_window(rig, to_ms=START_MS + 20_000)
    bench.sign(first)
    longer = make_window(rig)
    devices = []
    for device in sorted(longer.bundle):
        held = len(first.bundle[device])
        assert 0 < held < len(longer.bundle[device])
        parts = longer.bundle[device]
        devices.append(DeviceBundle(device, named(parts[:held]), tuple(parts[held:])))
    assert bench.answer(request(longer.claim, devices)).attestation


def test_named_envelopes_that_are_not_kept_are_told_by_number(bench, window):
    device, *others = devices_of(window.bundle)
    cut = DeviceBundle(device.device, named(device.envelopes), ())
    with pytest.raises(MissingEnvelopes) as told:
        bench.answer(request(window.claim, (cut, *others)))
    assert told.value.missing == tuple(
        (device.device, 0, seq) for seq in range(len(device.envelopes))
    )


@pytest.mark.parametrize("kept", [KeptRange(0, 5, 4), KeptRange(0, 0, 2**53)])
def test_ranges_that_run_backwards_or_for_ever_are_refused(bench, window, kept):
    part = DeviceBundle(min(window.bundle), (kept,), ())
    with pytest.raises(UnfitRequest):
        bench.answer(request(window.claim, (part,)))


def test_of_a_number_that_a_device_signed_twice_neither_is_meant(bench, window):
    bench.sign(window)
    twin = make_window(LineRig(), seconds=61)
    device = min(window.bundle)
    again = [e for e in twin.bundle[device] if e not in window.bundle[device]]
    assert again, "the last envelope has a second more"
    reading = again[0].reading()
    bench.refuse(twin.but(units=0, expires_ms=0))
    assert len(bench.store.numbered(device, reading.boot, reading.seq)) == 2
    part = DeviceBundle(device, (KeptRange(reading.boot, reading.seq, reading.seq),), ())
    with pytest.raises(MissingEnvelopes):
        bench.answer(request(window.but(units=1).claim, (part,)))


@pytest.mark.parametrize("raw", [b"", b"\xc1", b"\x93\x00\x01\x02", bytes(1_000), b"\xdd" * 40])
def test_garbage_is_no_request(bench, raw):
    with pytest.raises(UnfitRequest):
        bench.answer(raw)


def test_a_request_has_one_spelling(bench, window):
    raw = window.request()
    assert raw[1] == 0, "the height"
    with pytest.raises(UnfitRequest):
        bench.answer(raw[:1] + b"\xcc\x00" + raw[2:])


def test_devices_stand_in_order_each_once(bench, window):
    devices = devices_of(window.bundle)
    for wrong in (devices[::-1], (devices[0], devices[0])):
        with pytest.raises(UnfitRequest):
            bench.answer(request(window.claim, wrong))


def test_a_bomb_of_samples_is_not_judged(bench, window, monkeypatch):
    shown = sum(len(each.reading().samples) for each in window.envelopes)
    monkeypatch.setattr(judging, "WINDOW_SAMPLES_MAX", shown - 1)
    with pytest.raises(UnfitRequest):
        bench.answer(window)
    monkeypatch.setattr(judging, "WINDOW_SAMPLES_MAX", shown)
    assert bench.sign(window)


def test_a_bomb_of_envelopes_is_not_judged(bench, window, monkeypatch):
    monkeypatch.setattr(judging, "ENVELOPES_MAX", window.claim.readings_count - 1)
    with pytest.raises(UnfitRequest):
        bench.answer(window)
    assert bench.judge.judged == 0
