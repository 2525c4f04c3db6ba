"""A signer's home: what its file may say, and who it is."""

import json
import os
import subprocess
import sys

import pytest

from api.signing.process.config import CONFIG_FILE, load_config, prepare, rules_of
from api.signing.process.journal import JOURNAL_FILE, AccountMark, SigningJournal
from api.signing.wire import SigningKind
from ledger.primitives.keys import address_of, format_address
from node.errors import BadConfig
from node.home.key_file import read_key
from tests.support.api.signing import PAYOUT, key_of

COMMAND = [sys.executable, "-m", "node.cli.main", "signer"]


def signer(*words):
    return subprocess.run(
        [*COMMAND, *words], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture
def home(tmp_path):
    prepare(tmp_path / "signer", ("operating", "float"))
    return tmp_path / "signer"


def change(home, old, new, count=1):
    text = (home / CONFIG_FILE).read_text("utf-8")
    assert old in text
    (home / CONFIG_FILE).write_text(text.replace(old, new, count), "utf-8")


def test_init_makes_keys_of_their_owner_alone_and_is_harmless_when_repeated(tmp_path):
    home = tmp_path / "signer"
    words = ("init", "--home", str(home), "--account", "float", "--json")
    first, second = signer(*words), signer(*words)
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout == second.stdout
    (shown,) = json.loads(first.stdout)
    key = read_key(home / "keys" / "float.key")
    assert shown["address"] == format_address(address_of(key.public), "dbill")
    assert os.stat(home / "keys" / "float.key").st_mode & 0o077 == 0
    assert os.stat(home / JOURNAL_FILE).st_mode & 0o077 == 0
    assert shown["grant"] == "0.000000 of 10.000000 a day, 0.010000 each; 0 of 1000 times"


def test_show_says_what_is_no_home_in_one_line(tmp_path):
    done = signer("show", "--home", str(tmp_path))
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "billcoin signer init" in done.stderr


def test_a_new_key_may_sign_at_once_and_one_that_was_there_waits(tmp_path, home):
    journal = SigningJournal(home / JOURNAL_FILE)
    address = address_of(read_key(home / "keys" / "operating.key").public)
    assert journal.mark(address) == AccountMark(0, stopped=False)
    journal.close()
    (home / JOURNAL_FILE).unlink()
    prepare(home, ("operating", "float"))
    journal = SigningJournal(home / JOURNAL_FILE)
    assert journal.mark(address) is None
    journal.close()


def test_resume_makes_an_account_wait_instead_of_standing_still(home):
    address = address_of(read_key(home / "keys" / "operating.key").public)
    journal = SigningJournal(home / JOURNAL_FILE)
    journal.set_mark(address, AccountMark(5, stopped=True))
    assert "stopped      yes" in signer("show", "--home", str(home)).stdout
    assert signer("resume", "--home", str(home)).returncode == 0
    assert journal.mark(address) is None
    journal.close()
    done = signer("resume", "--home", str(home), "--account", "none")
    assert (done.returncode, done.stderr) == (
        1,
        "billcoin: error: signer.toml has no account 'none'\n",
    )


def test_the_file_is_what_an_account_may_sign(home):
    payout = format_address(PAYOUT, "dbill")
    former = format_address(address_of(key_of("old").public), "dbill")
    change(home, 'payout_address = ""', f'payout_address = "{payout}"')
    change(home, "former_payout_addresses = []", f'former_payout_addresses = ["{former}"]')
    change(home, "coupon_payout_addresses = []", f'coupon_payout_addresses = ["{former}"]')
    read = rules_of(load_config(home), "operating", address_of(key_of("operating").public))
    assert read.payout == PAYOUT
    assert read.former_payouts == read.coupon_payouts == {address_of(key_of("old").public)}
    assert set(read.kinds) == set(SigningKind)
    assert read.kinds[SigningKind.GRANT].each_units == 10_000
    other = rules_of(load_config(home), "float", address_of(key_of("float").public))
    assert other.payout is None


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("valid_blocks = 1200", "valid_blocks = 1", "valid_blocks"),
        ("valid_blocks = 1200", "valid_blox = 1200", "valid_blox"),
        ('kind = "grant"', 'kind = "gift"', "kind"),
        ('kind = "grant"', 'kind = "refund"', "two limits"),
        ('name = "float"', 'name = "operating"', "two accounts"),
        ('account = "float"', 'account = "floatt"', "floatt"),
        ('payout_address = ""', 'payout_address = "dbill1xyz"', "account operating"),
        ("127.0.0.1:26080", "127.0.0.1:0", "no address of a server"),
        ("127.0.0.1:26002", "?", "no address of a server"),
        ('prefix = "dbill"', 'prefix = "dbill"\nhome = "x"', "can't be set"),
    ],
)
def test_what_is_wrong_is_told_with_the_file_and_the_field(home, old, new, told):
    change(home, old, new)
    with pytest.raises(BadConfig, match=told) as fault:
        load_config(home)
    assert CONFIG_FILE in str(fault.value)
