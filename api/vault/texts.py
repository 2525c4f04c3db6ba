"""Secrets that are texts and not keys: each a file of one line, mode 0600, in the home's secrets.

secrets/slack.url      the webhook of the operations channel: whoever has it writes there
"""

import os
import stat
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from api.errors import ConfigFault
from api.vault.files import FOLDER

SLACK_FILE: Final = "slack.url"
TEXT_BYTES_MAX: Final = 2_048


def load_slack_url(home: Path) -> str:
    """Read the channel's address; empty if a home has none. Raise `ConfigFault`, never quoting."""
    path = home / FOLDER / SLACK_FILE
    if not path.exists():
        return ""
    url = read_text(path)
    parts = urlsplit(url)
    loopback = parts.hostname in ("127.0.0.1", "::1", "localhost")
    if not (parts.hostname and (parts.scheme == "https" or (parts.scheme == "http" and loopback))):
        raise ConfigFault(f"{path} holds no https address: write the webhook's, as Slack shows it")
    return url


def read_text(path: Path) -> str:
    """Read a secret of one line; raise `ConfigFault` if others can read it, or it is none."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            raw = file.read(TEXT_BYTES_MAX)
    except OSError as error:
        raise ConfigFault(f"{path} can't be read: {error.strerror}") from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigFault(
            f"{path} is open to other users (mode {stat.S_IMODE(mode):04o}): run chmod 600 on it"
        )
    text = raw.decode("ascii", "replace").strip()
    if not text or not text.isprintable() or " " in text:
        raise ConfigFault(f"{path} holds no single line of text")
    return text
