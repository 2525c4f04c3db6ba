"""The address of a database: read whole, or refused in one line that holds no password."""

from pathlib import Path
from urllib.parse import quote

import pytest

from api.db.address import read_address
from api.errors import ConfigFault

PLAIN = "postgresql://milk:s3cret@db.example:5433/till"


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        PLAIN.replace("postgresql", "postgres"),
        PLAIN.replace("postgresql", "postgresql+asyncpg"),
        PLAIN + "?",
        PLAIN + "?client_encoding=UTF8&channel_binding=prefer&gssencmode=disable",
    ],
)
def test_what_means_the_same_is_read_as_the_same(text: str) -> None:
    read = read_address(text)
    assert read.dsn == PLAIN
    assert read.where == "db.example:5433/till as milk"
    assert read.database == "till"
    assert "s3cret" not in repr(read)


def test_parameters_of_libpq_reach_the_driver_in_its_words(tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    authority.touch()
    read = read_address(
        PLAIN + f"?sslmode=verify-full&sslrootcert={authority}&application_name=the%20till"
        "&connect_timeout=9&target_session_attrs=read-write&options=-c%20statement_timeout%3D5000"
    )
    assert read.connect_timeout_s == 9
    assert read.dsn == (
        f"{PLAIN}?sslmode=verify-full&sslrootcert={quote(str(authority), '')}"
        "&application_name=the%20till"
        "&target_session_attrs=read-write&options=-c%20statement_timeout%3D5000"
    )
    assert read_address(PLAIN + "?ssl=require").dsn == PLAIN + "?sslmode=require"


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("postgresql:///till?host=/run/pg", "/run/pg/till"),
        ("postgresql://milk@/till", "the local socket/till as milk"),
        ("postgresql://a:1,b:2/till", "a:1,b:2/till"),
        ("postgresql://milk@[::1]:5432/till", "[::1]:5432/till as milk"),
        ("postgresql://m%40x:p%2Fw@h/a%20b", "h/a b as m@x"),
    ],
)
def test_sockets_many_hosts_and_escapes_are_read(text: str, where: str) -> None:
    assert read_address(text).where == where


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "begins with 'nothing'"),
        ("mysql://h/d", "begins with 'mysql'"),
        ("db.example:5432/till", "postgresql://USER:PASSWORD@HOST:PORT/DATABASE"),
        (PLAIN.replace("5433", "99999"), "port is no number from 1 to 65535"),
        (PLAIN.replace("5433", "0"), "port"),
        (PLAIN.replace("5433", "54x"), "port"),
        (PLAIN.replace("5433", "٥٤"), "port"),
        (PLAIN.replace("s3cret", "s3/cret"), "%2F"),
        (PLAIN.replace("s3cret", "s3#cret"), "%23"),
        ("postgresql://h:1,:2/d", "without a host"),
        ("postgresql://[::1/d", "host"),
        (PLAIN + "?port=70000", "port"),
        (PLAIN + "?sslrootcert=/nowhere/ca.pem", "sslrootcert is no file"),
        (PLAIN + "?sslmode=yes", "verify-full"),
        (PLAIN + "?sslmode", "name=value"),
        (PLAIN + "?sslmode=require&ssl=disable", "twice"),
        (PLAIN + "?channel_binding=require", "channel_binding=require can't be done"),
        (PLAIN + "?keepalives=1", "'keepalives' is not known"),
        (PLAIN + "?statement_timeout=5000", "options=-c"),
        (PLAIN + "?connect_timeout=never", "connect_timeout"),
        (PLAIN + "?client_encoding=latin1", "client_encoding"),
    ],
)
def test_what_cannot_be_done_is_refused_by_name_and_no_password_is_told(
    text: str, why: str
) -> None:
    with pytest.raises(ConfigFault) as caught:
        read_address(text)
    told = str(caught.value)
    assert why in told
    assert "\n" not in told
    assert "s3" not in told
    assert "cret" not in told
