"""A client's login: how a broker knows it, and how it knows the broker.

Every file is read at the start, and what can't be used is said then, by the setting that names it.
Before each connection the files are read again: a certificate, an authority or a password that was
renewed counts from the next connection on. What can't be used then is told in the log, and what was
read before goes on to be used. Secrets come from files that their owner alone may read; they reach
no log, repr or argument.
"""

import os
import socket
import ssl
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Final

import paho.mqtt.client as paho
import structlog

from iot_minting.errors import Misconfigured
from iot_minting.settings import BrokerSettings
from ledger.primitives.keys import PublicKey

PASSWORD_BYTES_MAX: Final = 1_024

log = structlog.get_logger("mqtt.login")


class RenewedTls(ssl.SSLContext):
    """A client's TLS. Each connection is made with what was read `latest`, if anything was since.

    A client keeps its context for good, and what was loaded into one can't be taken out again: so
    it holds the one to use.
    """

    latest: ssl.SSLContext | None = None

    def wrap_socket(
        self,
        sock: socket.socket,
        server_side: bool = False,
        do_handshake_on_connect: bool = True,
        suppress_ragged_eofs: bool = True,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLSocket:
        """Begin TLS on a socket."""
        wrap = super().wrap_socket if self.latest is None else self.latest.wrap_socket
        return wrap(
            sock,
            server_side,
            do_handshake_on_connect,
            suppress_ragged_eofs,
            server_hostname,
            session,
        )


@dataclass(frozen=True, slots=True)
class BrokerLogin:
    """A user's name and password, and TLS; without any, one is anonymous and speaks in clear.

    `read` gives all of it as its files have it now; it raises `Misconfigured`.
    """

    user: str = ""
    password: str | None = field(default=None, repr=False)
    tls: RenewedTls | None = None
    read: Callable[[], "BrokerLogin"] | None = field(default=None, repr=False, compare=False)

    def enter(self, client: paho.Client) -> None:
        """Let a client log in so, from its next connection on, and as renewed from then on."""
        if self.user:
            client.username_pw_set(self.user, self.password)
        if self.tls is not None:
            client.tls_set_context(self.tls)
        if self.read is not None:
            client.on_pre_connect = self._renew

    def _renew(self, client: paho.Client, _userdata: object) -> None:
        assert self.read is not None
        try:
            fresh = self.read()
        except Misconfigured as fault:
            log.warning("login not renewed: what was read before is used", why=str(fault))
            return
        if fresh.user:
            client.username_pw_set(fresh.user, fresh.password)
        if self.tls is not None:
            self.tls.latest = fresh.tls


ANONYMOUS: Final = BrokerLogin()
"""For the embedded broker alone: it listens on loopback."""


def read_login(home: Path, settings: BrokerSettings) -> BrokerLogin:
    """Read the files that a home's settings name; raise `Misconfigured`: which, and why."""
    password = None
    elsewhere = not (settings.broker_ca or _is_loopback(settings.broker_host))
    if elsewhere and not settings.allow_plaintext and not settings.broker_password_file:
        raise Misconfigured(
            f"broker_host: readings would go to {settings.broker_host} in clear: name the "
            f"authority of its certificate as broker_ca, or set allow_plaintext = true"
        )
    if elsewhere and settings.allow_plaintext:
        log.warning("in the clear", what="broker_host: readings", at=settings.broker_host)
    if settings.broker_password_file:
        path = home / settings.broker_password_file
        password = _read_password(path)
        if not (settings.broker_ca or _is_loopback(settings.broker_host)):
            raise Misconfigured(
                f"broker_password_file: {path} would go to {settings.broker_host} in clear: "
                "name the authority of its certificate as broker_ca"
            )
        if not settings.broker_user:
            raise Misconfigured("broker_user: a password needs a user's name beside it")
    tls = _read_tls(home, settings)
    again = partial(read_login, home, settings) if tls or password else None
    return BrokerLogin(settings.broker_user, password, tls, again)


def read_device_login(home: Path, settings: BrokerSettings, device: PublicKey) -> BrokerLogin:
    """Read a device's login: `{device}` in the settings stands for its key, as topics write it."""
    named = {
        name: getattr(settings, name).replace("{device}", device.hex())
        for name in ("broker_user", "broker_password_file", "broker_cert", "broker_key")
    }
    return read_login(home, settings.model_copy(update=named))


def _read_tls(home: Path, settings: BrokerSettings) -> RenewedTls | None:
    if bool(settings.broker_cert) != bool(settings.broker_key):
        missing = "broker_key" if settings.broker_cert else "broker_cert"
        raise Misconfigured(f"{missing}: a client's certificate and its key go together")
    if not settings.broker_ca:
        if settings.broker_cert:
            raise Misconfigured("broker_ca: a client's certificate needs it, to know the broker by")
        return None
    context = RenewedTls(ssl.PROTOCOL_TLS_CLIENT)  # Checks certificate and host name.
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    authority = home / settings.broker_ca
    try:
        context.load_verify_locations(authority)
    except OSError as error:  # An SSLError is one.
        raise Misconfigured(f"broker_ca: {authority} can't be used: {_why(error)}") from error
    if settings.broker_cert:
        _load_certificate(context, home / settings.broker_cert, home / settings.broker_key)
    return context


def _load_certificate(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    _check_file("broker_cert", certificate, secret=False)
    _check_file("broker_key", key, secret=True)
    try:
        # An empty password, or OpenSSL would ask the terminal for one.
        context.load_cert_chain(certificate, key, password="")
    except (OSError, ValueError) as error:
        raise Misconfigured(
            f"broker_cert: {certificate} can't be used with the key in {key} (both PEM, the key "
            f"of this certificate and not encrypted): {_why(error)}"
        ) from error


def _read_password(path: Path) -> str:
    """Read the one line of a password's file."""
    _check_file("broker_password_file", path, secret=True)
    raw = path.read_bytes()[: PASSWORD_BYTES_MAX + 1]
    try:
        password = raw.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:  # The text is a secret: no fault may quote it.
        password = ""
    if not password or "\n" in password or len(raw) > PASSWORD_BYTES_MAX:
        raise Misconfigured(
            f"broker_password_file: {path} must hold the password alone, on one line of UTF-8 and "
            f"in at most {PASSWORD_BYTES_MAX} bytes"
        )
    return password


def _check_file(setting: str, path: Path, *, secret: bool) -> None:
    """Raise unless a file is there to be read; one that others may read is no secret any more."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
    except OSError as error:
        raise Misconfigured(f"{setting}: {path} can't be read: {error.strerror}") from error
    if secret and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise Misconfigured(
            f"{setting}: {path} is open to other users (mode {stat.S_IMODE(mode):04o}): run chmod "
            "600 on it, and make a new one if others may have read it"
        )


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
