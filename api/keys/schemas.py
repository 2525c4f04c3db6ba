"""API keys in JSON: what a manager asks for, and what is shown of a key."""

from typing import Annotated

import msgspec
from msgspec import Meta

from api.access.roles import Scope
from api.http.pages import PageQuery
from api.http.scalars import LINE, Livemode, TimeText, UlidText


class NewKeyBody(
    msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True
):
    """What a key is made with."""

    name: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=80,
            pattern=LINE,
            description="For people: what uses the key.",
        ),
    ]
    scopes: Annotated[
        list[Scope], Meta(min_length=1, max_length=len(Scope), description="What it may do.")
    ]


class KeysQuery(PageQuery, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How keys are listed."""


class SecretView(msgspec.Struct, frozen=True, rename="camel"):
    """A secret that still opens a door."""

    hint: Annotated[str, Meta(description="Its last characters.", examples=["x7qa"])]
    created_at: TimeText
    expires_at: TimeText | None


class KeyView(msgspec.Struct, frozen=True, rename="camel"):
    """A key, without its secrets."""

    id: UlidText
    name: str
    scopes: list[str]
    livemode: Livemode
    created_at: TimeText
    revoked_at: TimeText | None
    last_used_at: Annotated[
        TimeText | None, Meta(description="By what the request log still holds.")
    ]
    secrets: Annotated[
        list[SecretView], Meta(description="Two for a day after a rotation; none once revoked.")
    ]


class IssuedKey(msgspec.Struct, frozen=True, rename="camel"):
    """A key with the secret that was just drawn: it is shown in this answer alone."""

    api_key: KeyView
    secret: Annotated[
        str,
        Meta(
            pattern="^bck_(test|live)_[a-z2-7]{52}$",
            description="What to send as `Authorization: Bearer ...`. Keep it; we can't.",
        ),
    ]
