"""Configuration of the payments service, and what a development network needs to start one.

A home holds `config.toml` (this model), `payout.key` (the development merchant's secret seed,
which the service itself never reads) and `api.key` (the till's bearer key). Amounts are integers:
sen and units. Nothing here opens a connection.
"""

import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SkipValidation,
    ValidationError,
    field_validator,
    model_validator,
)

from api.catalogue.products import DEFAULT_PRODUCTS, Positive, ProductConfig
from api.db.address import read_address
from api.db.credentials import database_password, database_url, keep_text
from api.errors import ConfigFault
from api.keys.model import key_digest, new_key
from api.limits.config import LimitsConfig
from api.people.demo_file import DEMO_FILE, Demo, keep_demo, read_demo
from api.tenants.config import MerchantConfig, UnionConfig, check_once, check_tenants
from api.testing.wallet import CUSTOMER_FILE, read_customer
from api.vault.files import FOLDER as SECRETS
from api.vault.files import ApiSecrets, draw_secrets, load_secrets, make_secrets
from api.vault.texts import SLACK_FILE, load_slack_url
from ledger.primitives.keys import (
    DEVELOPMENT_PREFIX,
    Address,
    SigningKey,
    address_of,
    format_address,
)
from node.addresses import check_url, parse_networks
from node.errors import BadConfig, BadKeyFile
from node.home.key_file import keep_seed
from node.home.toml_file import CONFIG_FILE, format_toml, read_toml
from node.home.whole_file import write_whole

HEAD: Final = "Configuration of the BillCoin payments service; see docs/api.md."
UNION_NAME: Final = "Dairy Union"
"""Of a development network, and of whoever names none."""
PAYOUT_FILE: Final = "payout.key"
API_KEY_FILE: Final = "api.key"
SERVICE_KEY_FILE: Final = "service.key"
SECRET_BYTES: Final = 32


Origin = Annotated[str, Field(pattern=r"^https?://[A-Za-z0-9.:\[\]-]{1,128}$")]


class ApiConfig(BaseModel):
    """Everything that the payments service can be told. `DATABASE_URL` wins over the file."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    node_urls: Annotated[tuple[str, ...], Field(min_length=1, max_length=16)]
    """Nodes of the network: the one that answered last is asked, then the others."""
    database_url: Annotated[str, Field(min_length=1)]
    prefix: Annotated[str, Field(pattern=r"^[a-z]{1,16}$")] = DEVELOPMENT_PREFIX
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65_535)] = 8080
    connections_max: Annotated[int, Field(ge=64, le=65_536)] = 8_192
    connections_per_address_max: Annotated[int, Field(ge=1, le=65_536)] = 256
    trusted_proxies: Annotated[tuple[str, ...], Field(max_length=64)] = ()
    """Addresses and networks whose `X-Forwarded-For` is believed, beside this machine's."""
    public_host: Annotated[str, Field(pattern=r"^[A-Za-z0-9.:\[\]-]{1,128}$")] = "127.0.0.1:8080"
    tls_certificate: str = ""
    """The certificate, with what leads to its authority, and its key: to serve TLS 1.3."""
    tls_key: str = ""
    allow_plaintext: bool = False
    """Whether what is not encrypted may go to other machines. It is logged at each start."""
    cors_origins: Annotated[tuple[Origin, ...], Field(max_length=64)] = ()
    """Pages of other sites whose scripts may call, such as https://wallet.example."""
    public_scheme: Annotated[str, Field(pattern=r"^https?$")] = "https"

    litre_price_sen: Positive = 360
    fee_units: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    """The fee that a wallet is told; 0 asks the node for the network's least."""
    products: Annotated[tuple[ProductConfig, ...], Field(min_length=1, max_length=64)] = (
        DEFAULT_PRODUCTS
    )
    unions: Annotated[tuple[UnionConfig, ...], Field(min_length=1, max_length=64)] = (
        UnionConfig(name=UNION_NAME),
    )
    merchants: Annotated[tuple[MerchantConfig, ...], Field(max_length=64)] = ()

    reward_product: str = ""
    """What five points buy a pack of; empty for the first product."""

    order_ttl_s: Annotated[int, Field(ge=10, le=86_400)] = 600
    transaction_ttl_blocks: Annotated[int, Field(ge=10, le=1_000_000)] = 1_200
    validate_per_minute: Annotated[int, Field(ge=1, le=10_000_000)] = 60_000
    limits: LimitsConfig = LimitsConfig()
    wait_s_max: Annotated[int, Field(ge=0, le=30)] = 10
    node_silence_s_max: Annotated[int, Field(ge=1, le=600)] = 5
    lag_blocks_max: Annotated[int, Field(ge=0, le=10_000)] = 20
    pool_size: Annotated[int, Field(ge=2, le=90)] = 12
    public_board: bool = True
    secret: Annotated[bytes, Field(exclude=True, repr=False)] = Field(
        default_factory=lambda: secrets.token_bytes(SECRET_BYTES)
    )
    """What cursors are signed and kept answers sealed with: of `HOME/service.key`, for all workers
    alike. Whoever has no home, as a test, has one of its own."""
    secrets: Annotated[SkipValidation[ApiSecrets], Field(exclude=True, repr=False)] = Field(
        default_factory=draw_secrets
    )
    """What people's data is sealed and their tokens are made with: of `HOME/secrets/`."""
    slack_url: Annotated[str, Field(exclude=True, repr=False)] = ""
    """The webhook of the operations channel: of `HOME/secrets/slack.url`; empty for none."""
    customer: Annotated[bytes | None, Field(exclude=True, repr=False)] = None
    """The seed of a made-up customer, on a development network: of `HOME/customer.key`."""
    demo: Annotated[Demo | None, Field(exclude=True, repr=False)] = None
    """Who is there from the start on a development network: of `HOME/demo.json`."""

    @field_validator("trusted_proxies")
    @classmethod
    def _proxies_are_networks(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        """Refuse what is no address now, rather than never to match it."""
        try:
            parse_networks(texts)
        except BadConfig as fault:
            raise ValueError(str(fault)) from fault
        return texts

    @model_validator(mode="after")
    def _certificate_has_its_key(self) -> "ApiConfig":
        """Refuse half of a pair."""
        if bool(self.tls_certificate) != bool(self.tls_key):
            raise ValueError("tls_certificate and tls_key go together: name both, or none")
        return self

    @model_validator(mode="after")
    def _names_are_unique(self) -> "ApiConfig":
        """A product or merchant listed twice would have two prices or two purses."""
        check_once([product.id for product in self.products])
        check_tenants(self.unions, self.merchants)
        return self

    @property
    def livemode(self) -> bool:
        """Tell whether the chain is one of real milk, and not of development."""
        return self.prefix != DEVELOPMENT_PREFIX

    @property
    def public_url(self) -> str:
        """Give the address under which the world finds this service."""
        return f"{self.public_scheme}://{self.public_host}"

    def pay_url(self, order_id: str) -> str:
        """Give the address that a QR holds, in capitals: alphanumeric mode makes it small."""
        return f"{self.public_url}/p/{order_id}".upper()


def load_config(home: Path) -> ApiConfig:
    """Read `HOME/config.toml`; raise `ConfigFault` that says what, where and how to mend."""
    path = home / CONFIG_FILE
    try:
        fields = read_toml(path)
    except BadConfig as fault:
        raise ConfigFault(str(fault)) from fault
    url_from = f"{path}: database_url"
    if url := os.environ.get("DATABASE_URL"):
        fields["database_url"], url_from = url, "DATABASE_URL"
    _refuse_secrets(path, fields)
    try:
        secret = keep_seed(home / SERVICE_KEY_FILE)
    except BadKeyFile as fault:
        raise ConfigFault(str(fault)) from fault
    try:
        config = ApiConfig.model_validate({**fields, "secret": secret})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise ConfigFault(f"{path}: {where}: {first['msg']}") from error
    _check_addresses(config, path, url_from)
    demo = read_demo(home)
    if demo is not None and config.livemode:
        raise ConfigFault(f"{home / DEMO_FILE}: a network in earnest has no such people: remove it")
    kept = {
        "secrets": load_secrets(home),
        "demo": demo,
        "slack_url": load_slack_url(home),
        "customer": read_customer(home, livemode=config.livemode),
    }
    return config.model_copy(update=kept)


def _refuse_secrets(path: Path, fields: Mapping[str, object]) -> None:
    """Raise `ConfigFault` for a secret that stands where others read."""
    for name, place in (
        ("secret", SERVICE_KEY_FILE),
        ("secrets", f"{SECRETS}/"),
        ("slack_url", f"{SECRETS}/{SLACK_FILE}"),
        ("customer", CUSTOMER_FILE),
    ):
        if name in fields:
            raise ConfigFault(f"{path}: {name}: it stands in {place}, never here")


def _check_addresses(config: ApiConfig, path: Path, database_from: str) -> None:
    """Raise `ConfigFault` for an address that nobody could be reached at."""
    for url in config.node_urls:
        try:
            check_url(url)
        except BadConfig as fault:
            raise ConfigFault(f"{path}: node_urls: {fault}") from None
    try:
        read_address(config.database_url)
    except ConfigFault as fault:
        raise ConfigFault(f"{database_from}: {fault}") from None


def format_config(config: ApiConfig) -> str:
    """Write a configuration as TOML that `load_config` reads back."""
    return format_toml(config.model_dump(), HEAD)


@dataclass(frozen=True, slots=True)
class ApiIdentity:
    """What the rest of a development network has to know about its payments service."""

    payout_address: Address
    payout_text: str
    api_key: str
    database_url: str


def prepare(
    home: Path,
    *,
    node_urls: Sequence[str],
    database_dir: Path,
    database_port: int,
    port: int,
    host: str = "127.0.0.1",
    public_host: str = "",
    prefix: str = DEVELOPMENT_PREFIX,
    merchant: str = "Tenusu Kiosk",
    products: Sequence[ProductConfig] = DEFAULT_PRODUCTS,
    operating_address: str = "",
    float_address: str = "",
    limits: LimitsConfig | None = None,
) -> ApiIdentity:
    """Make or renew a home for a development network; keys stay, ports and urls are rewritten.

    The caller starts `billcoin api database --dir DATABASE_DIR --port DATABASE_PORT` and
    `billcoin api run --home HOME`; the password of the one is in the configuration of the other.
    """
    home.mkdir(parents=True, exist_ok=True)
    make_secrets(home)
    keep_seed(home / SERVICE_KEY_FILE)
    seed, livemode = keep_seed(home / PAYOUT_FILE), prefix != DEVELOPMENT_PREFIX
    api_key = keep_text(home / API_KEY_FILE, lambda: new_key(livemode=livemode))
    payout = address_of(SigningKey(seed).public)
    payout_text = format_address(payout, prefix)
    url = database_url(database_password(database_dir), database_port)
    config = ApiConfig(
        node_urls=tuple(node_urls),
        database_url=url,
        prefix=prefix,
        host=host,
        port=port,
        public_host=public_host or f"{host}:{port}",
        public_scheme="http",
        limits=limits or LimitsConfig(),
        products=tuple(products),
        unions=(UnionConfig(name=UNION_NAME, float_address=float_address),),
        merchants=(
            MerchantConfig(
                name=merchant,
                payout_address=payout_text,
                operating_address=operating_address,
                key_digests=(key_digest(api_key).hex(),),
            ),
        ),
    )
    write_whole(home / CONFIG_FILE, format_config(config).encode(), 0o600)
    if not livemode:
        keep_demo(home, config.unions[0].name, merchant)
    return ApiIdentity(payout, payout_text, api_key, url)
