"""Unions and merchants in JSON: contacts, accounts, and changes to them."""

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from api.http.pages import PageQuery
from api.http.scalars import LINE, AddressText, TimeText, UlidText

Name = Annotated[str, Meta(min_length=1, max_length=80, pattern=LINE)]
Line = Annotated[str, Meta(max_length=120, pattern=LINE)]
Office = Annotated[
    str, Meta(max_length=200, pattern=LINE, description="Where to go, as it is written on a door.")
]
Telephone = Annotated[str, Meta(max_length=40, pattern=r"^[0-9+() -]*$")]
TimeZone = Annotated[
    str,
    Meta(
        max_length=40,
        pattern=r"^[A-Za-z][A-Za-z0-9_+/-]*$",
        description="An IANA time zone: whose day a business day is.",
        examples=["Asia/Kuala_Lumpur"],
    ),
]


class UnionView(msgspec.Struct, frozen=True, rename="camel"):
    """A dairy union, and how to reach its office."""

    id: UlidText
    name: str
    office: str
    telephone: str
    email: str
    hours: str
    developer_contact: str


class NewUnionBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """A union that begins."""

    name: Name
    office: Office = ""
    telephone: Telephone = ""
    email: Line = ""
    hours: Line = ""
    developer_contact: Line = ""


class UnionChangesBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """What of a union is to be written anew."""

    name: Name | UnsetType = UNSET
    office: Office | UnsetType = UNSET
    telephone: Telephone | UnsetType = UNSET
    email: Line | UnsetType = UNSET
    hours: Line | UnsetType = UNSET
    developer_contact: Line | UnsetType = UNSET


class MerchantView(msgspec.Struct, frozen=True, rename="camel"):
    """A shop of a union."""

    id: UlidText
    union_id: UlidText
    name: str
    payout_address: AddressText
    operating_address: AddressText | None
    time_zone: str
    created_at: TimeText


class ChangedMerchantView(msgspec.Struct, frozen=True, rename="camel"):
    """A merchant after a change, and what of it waits for a second person and for a day."""

    merchant: MerchantView
    approval_id: UlidText | None


class NewMerchantBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """A shop that begins; without a union, it is of the officer's own."""

    name: Name
    payout_address: AddressText
    operating_address: AddressText | None = None
    time_zone: TimeZone = "Asia/Kuala_Lumpur"
    union_id: UlidText | UnsetType = UNSET


class MerchantChangesBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """What of a merchant is to be written anew. Addresses wait 24 hours, and for two people."""

    name: Name | UnsetType = UNSET
    time_zone: TimeZone | UnsetType = UNSET
    payout_address: AddressText | UnsetType = UNSET
    operating_address: AddressText | UnsetType = UNSET


class MerchantsQuery(PageQuery, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Which merchants."""

    union_id: UlidText | UnsetType = UNSET
