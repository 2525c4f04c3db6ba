"""A signer's home: `signer.toml`, a key file an account (mode 0600) and its journal.

The file is the signer's own law: nothing that the payments service says changes a number in it.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct, field
from msgspec.structs import replace

from api.signing.process.journal import JOURNAL_FILE, AccountMark, SigningJournal
from api.signing.process.rules import AccountRules, KindLimits
from api.signing.wire import SigningKind
from ledger.primitives.amounts import UNITS_PER_BILL
from ledger.primitives.errors import BadAddress
from ledger.primitives.keys import Address, PublicKey, SigningKey, address_of, parse_address
from node.addresses import check_url
from node.errors import BadConfig
from node.home.key_file import keep_seed, read_key
from node.home.toml_file import format_toml, read_toml
from node.home.whole_file import write_whole

CONFIG_FILE: Final = "signer.toml"
HEAD: Final = "Configuration of a BillCoin signer; see docs/operating/signer.md."
ACCOUNTS_MAX: Final = 16
NODES_MAX: Final = 16

Text = Annotated[str, Meta(max_length=200)]
Name = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{0,31}\Z")]
Amount = Annotated[int, Meta(ge=0, le=2**62)]


class SigningAccount(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An account that pays by itself; its key is `keys/NAME.key`."""

    name: Name
    payout_address: Text = ""
    """Where the merchant is paid: coupons' sales go there, and its payments are given back."""
    former_payout_addresses: Annotated[tuple[Text, ...], Meta(max_length=16)] = ()
    coupon_payout_addresses: Annotated[tuple[Text, ...], Meta(max_length=64)] = ()
    """Where coupons' sales may go beside `payout_address`: the shops of a union."""
    day_units: Amount
    """What may leave the account in any 24 hours, whatever it is for."""


class SigningLimit(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What one account may sign of one kind; without a limit the kind is not signed."""

    account: Name
    kind: SigningKind
    each_units: Amount
    day_units: Amount
    day_count: Annotated[int, Meta(ge=0, le=1_000_000)]
    payee_day_units: Amount = 0
    """What one payee may get in any 24 hours; 0 for any amount."""


class SignerConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything an operator may set."""

    api_url: Text = "http://127.0.0.1:26080"
    node_urls: Annotated[tuple[Text, ...], Meta(min_length=1, max_length=NODES_MAX)] = (
        "http://127.0.0.1:26002",
    )
    """The signer's own nodes: what they say is believed."""
    allow_plaintext: bool = False
    """Whether what is not encrypted may go to other machines. It is logged at each start."""
    prefix: Annotated[str, Meta(pattern=r"^[a-z]{1,16}\Z")] = "dbill"
    valid_blocks: Annotated[int, Meta(ge=20, le=20_000)] = 1_200
    """How many blocks signed bytes may wait to be included."""
    fee_units_max: Amount = 10_000
    port: Annotated[int, Meta(ge=0, le=65_535)] = 0
    """Where `/readyz` and `/metrics` answer, on loopback; 0 turns them off."""
    log_level: Annotated[str, Meta(pattern=r"^(debug|info|warning|error)\Z")] = "info"
    accounts: Annotated[tuple[SigningAccount, ...], Meta(max_length=ACCOUNTS_MAX)] = ()
    limits: Annotated[tuple[SigningLimit, ...], Meta(max_length=ACCOUNTS_MAX * 8)] = ()
    home: Path = field(default_factory=Path)
    """Set when loaded; never written."""


@dataclass(frozen=True, slots=True)
class SignerIdentity:
    """What others may know of an account."""

    name: str
    key: PublicKey
    address: Address


def usual_limits(account: str) -> tuple[SigningLimit, ...]:
    """Give limits to begin with: for a kiosk's operating account, or an office's float."""
    litre = UNITS_PER_BILL

    def limit(kind: SigningKind, each: int, day: int, count: int, payee: int = 0) -> SigningLimit:
        return SigningLimit(
            account=account,
            kind=kind,
            each_units=each,
            day_units=day,
            day_count=count,
            payee_day_units=payee,
        )

    return (
        limit(SigningKind.REFUND, 15 * litre, 100 * litre, 500),
        limit(SigningKind.COUPON, litre // 2, 50 * litre, 500),
        limit(SigningKind.TOP_UP, 60 * litre, 500 * litre, 1_000, 60 * litre),
        limit(SigningKind.GRANT, litre // 100, 10 * litre, 1_000),
    )


def prepare(home: Path, names: tuple[str, ...], config: SignerConfig | None = None) -> None:
    """Make the home, the keys of its accounts and its configuration where they are not there yet.

    A configuration that is given replaces the home's. A key that is drawn here has signed nothing
    before: it may sign at once. One that was there before waits until what it may have signed
    elsewhere can't take effect any more (`desk`).
    """
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = home / CONFIG_FILE
    if config is None and not path.exists():
        config = SignerConfig(
            accounts=tuple(
                SigningAccount(name=name, day_units=500 * UNITS_PER_BILL) for name in names
            ),
            limits=tuple(limit for name in names for limit in usual_limits(name)),
        )
    if config is not None:
        write_whole(path, format_toml(_fields(config), HEAD).encode())
    for account in load_config(home).accounts:
        drawn = not key_path(home, account.name).exists()
        key = SigningKey(keep_seed(key_path(home, account.name)))
        if drawn:
            begin_journal(home, address_of(key.public))


def begin_journal(home: Path, *addresses: Address) -> None:
    """Say of accounts that their keys are new: no bytes that they signed are anywhere."""
    journal = SigningJournal(home / JOURNAL_FILE)
    try:
        for address in addresses:
            journal.set_mark(address, AccountMark(ready_height=0, stopped=False))
    finally:
        journal.close()


def key_path(home: Path, name: str) -> Path:
    """Name an account's key file."""
    return home / "keys" / f"{name}.key"


def identify(home: Path, name: str) -> SignerIdentity:
    """Say who an account is; raise `BadKeyFile`."""
    key = read_key(key_path(home, name)).public
    return SignerIdentity(name, key, address_of(key))


def _fields(config: SignerConfig) -> dict[str, object]:
    fields: dict[str, object] = msgspec.to_builtins(replace(config, home=Path()), enc_hook=str)
    del fields["home"]
    return fields


def load_config(home: Path) -> SignerConfig:
    """Read HOME/signer.toml; raise `BadConfig` that names file, field and remedy."""
    path = home / CONFIG_FILE
    if not path.exists():
        raise BadConfig(f"{path} does not exist: `billcoin signer init` makes one")
    raw = read_toml(path)
    if "home" in raw:
        raise BadConfig(f"{path}: `home` is the folder itself and can't be set")
    try:
        config = msgspec.convert(raw, SignerConfig)
    except msgspec.ValidationError as error:
        raise BadConfig(f"{path}: {error}") from error
    try:
        _check(config)
    except BadConfig as fault:
        raise BadConfig(f"{path}: {fault}") from fault
    return replace(config, home=home)


def _check(config: SignerConfig) -> None:
    """Raise `BadConfig` for what no type can say."""
    for url in (config.api_url, *config.node_urls):
        check_url(url)
    names = [account.name for account in config.accounts]
    if len(set(names)) != len(names):
        raise BadConfig("two accounts have one name")
    pairs = [(limit.account, limit.kind) for limit in config.limits]
    if len(set(pairs)) != len(pairs):
        raise BadConfig("two limits are of one account and kind")
    for name in sorted({name for name, _ in pairs} - set(names)):
        raise BadConfig(f"a limit names the account {name!r}, which does not exist")
    for account in config.accounts:
        _read_payouts(account, config.prefix)


@dataclass(frozen=True, slots=True)
class _Payouts:
    """Whom an account pays and has been paid by, read from its file."""

    payout: Address | None
    former: frozenset[Address]
    coupons: frozenset[Address]


def _read_payouts(account: SigningAccount, prefix: str) -> _Payouts:
    def read(texts: tuple[str, ...]) -> frozenset[Address]:
        return frozenset(parse_address(text, prefix) for text in texts)

    try:
        payout = account.payout_address
        return _Payouts(
            parse_address(payout, prefix) if payout else None,
            read(account.former_payout_addresses),
            read(account.coupon_payout_addresses),
        )
    except BadAddress as fault:
        raise BadConfig(f"account {account.name}: {fault}") from fault


def rules_of(config: SignerConfig, name: str, address: Address) -> AccountRules:
    """Give what an account may sign."""
    account = next(account for account in config.accounts if account.name == name)
    payouts = _read_payouts(account, config.prefix)
    return AccountRules(
        address=address,
        prefix=config.prefix,
        payout=payouts.payout,
        former_payouts=payouts.former,
        coupon_payouts=payouts.coupons,
        day_units=account.day_units,
        kinds={
            limit.kind: KindLimits(
                each_units=limit.each_units,
                day_units=limit.day_units,
                day_count=limit.day_count,
                payee_day_units=limit.payee_day_units,
            )
            for limit in config.limits
            if limit.account == name
        },
    )
