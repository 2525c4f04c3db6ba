"""What an operator sees of a signer's home, and the one thing that only an operator may say."""

from contextlib import closing

from api.signing.process.config import SignerConfig, identify, rules_of
from api.signing.process.journal import JOURNAL_FILE, SigningJournal
from api.signing.process.rules import DAY_MS
from api.signing.process.running import wall_ms
from ledger.primitives.amounts import Units, format_bill
from ledger.primitives.keys import format_address
from node.errors import BadArgument


def show_accounts(config: SignerConfig) -> list[dict[str, str]]:
    """List the accounts with their limits in BILL, and what the last 24 hours took of them."""
    since_ms = wall_ms() - DAY_MS
    shown = []
    with closing(SigningJournal(config.home / JOURNAL_FILE)) as journal:
        for account in config.accounts:
            found = identify(config.home, account.name)
            mark = journal.mark(found.address)
            lines = {
                "account": account.name,
                "address": format_address(found.address, config.prefix),
                "public key": found.key.hex(),
                "stopped": "yes" if mark is not None and mark.stopped else "no",
            }
            for kind, limits in rules_of(config, account.name, found.address).kinds.items():
                spent = journal.spent(found.address, since_ms, kind, None)
                lines[str(kind)] = (
                    f"{_bill(spent.units)} of {_bill(limits.day_units)} a day, "
                    f"{_bill(limits.each_units)} each; {spent.count} of {limits.day_count} times"
                )
            shown.append(lines)
    return shown


def resume_account(config: SignerConfig, name: str) -> None:
    """Let a stopped account go on, once nothing unknown can take effect; raise `BadArgument`."""
    if name not in {account.name for account in config.accounts}:
        raise BadArgument(f"signer.toml has no account {name!r}")
    with closing(SigningJournal(config.home / JOURNAL_FILE)) as journal:
        journal.forget_mark(identify(config.home, name).address)


def _bill(units: int) -> str:
    return format_bill(Units(units))
