"""Signatures of webhooks: the published vectors, a stranger's library, and what they cover."""

from base64 import b64decode, b64encode
from datetime import UTC, datetime

import pytest
from nacl.signing import VerifyKey
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from api.webhooks.signing import (
    draw_secret,
    sign_v1,
    sign_v1a,
    signed_headers,
    unpacked,
)

# Of the specification's own libraries: one message, signed in both ways.
ID, AT_S, BODY = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, b'{"test": 2432232314}'
MESSAGE = f"{ID}.{AT_S}.".encode() + BODY
SHARED = b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
V1 = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
PRIVATE = b64decode(
    "6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg=="
)
V1A = "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="


def test_the_published_vectors_are_signed_as_published() -> None:
    assert sign_v1(SHARED, MESSAGE) == V1
    assert sign_v1a(PRIVATE[:32], MESSAGE) == V1A


def now_s() -> int:
    return int(datetime.now(UTC).timestamp())


def test_a_strangers_library_verifies_what_is_sent_and_nothing_that_was_changed() -> None:
    secret, at_s = draw_secret(), now_s()
    headers = signed_headers([secret], "evt_1", at_s, BODY)
    reader = Webhook(secret.text)
    assert reader.verify(BODY, headers) == {"test": 2_432_232_314}
    for changed in (
        {**headers, "webhook-id": "evt_2"},
        {**headers, "webhook-timestamp": str(at_s - 1)},
        signed_headers([secret], "evt_1", at_s - 3_600, BODY),
        signed_headers([draw_secret()], "evt_1", at_s, BODY),
    ):
        with pytest.raises(WebhookVerificationError):
            reader.verify(BODY, changed)
    with pytest.raises(WebhookVerificationError):
        reader.verify(BODY + b" ", headers)


def test_v1a_is_verified_by_the_public_key_that_is_shown() -> None:
    secret = unpacked(draw_secret().packed())
    headers = signed_headers([secret], ID, AT_S, BODY)
    v1a = next(one for one in headers["webhook-signature"].split(" ") if one.startswith("v1a,"))
    key = VerifyKey(b64decode(secret.public_text.removeprefix("whpk_")))
    assert key.verify(MESSAGE, b64decode(v1a.removeprefix("v1a,"))) == MESSAGE


def test_while_two_secrets_are_in_force_the_holder_of_either_is_content() -> None:
    old, new = draw_secret(), draw_secret()
    headers = signed_headers([new, old], "evt_1", now_s(), BODY)
    assert len(headers["webhook-signature"].split(" ")) == 4
    for secret in (old, new):
        assert Webhook(secret.text).verify(BODY, headers)


def test_the_two_halves_have_nothing_in_common_and_no_repr_shows_them() -> None:
    secret = draw_secret()
    assert secret.shared != secret.seed
    assert b64encode(secret.shared).decode() not in repr(secret)
