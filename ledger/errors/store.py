"""A genesis or a store that can't be used."""

from ledger.errors.base import LedgerFault


class BadGenesis(LedgerFault):
    """A genesis that can't begin a chain: where it is wrong, and why."""

    code = "bad_genesis"
    text = "genesis, {where}: {why}"


class StoreFault(LedgerFault):
    """A store that can't be used as asked."""

    code = "store_fault"


class ForeignStore(StoreFault):
    """The store holds another chain."""

    code = "foreign_store"
    text = "the store at {path} holds chain {got}, not {expected}: name another directory"


class LockedStore(StoreFault):
    """The store can't be opened: another process has it, or the disk refuses."""

    code = "locked_store"
    text = "the store at {path} does not open: {why}"


class WrongSchema(StoreFault):
    """The store was written by another version."""

    code = "wrong_schema"
    text = (
        "the store at {path} has schema {got}, this program reads {expected}: run the program "
        "that wrote it, or move the folder away and let the node fetch the chain again"
    )


class EmptyStore(StoreFault):
    """The store has no genesis yet."""

    code = "empty_store"
    text = "the store at {path} is empty: begin it with a genesis"


class MissingStore(StoreFault):
    """There is no store where one was to be read."""

    code = "missing_store"
    text = "there is no store at {path}: name a node's home or a testnet's folder"


class DamagedStore(StoreFault):
    """The disk gives back something else than what was written."""

    code = "damaged_store"
    text = "the store at {path} is damaged: {why}; move it away, the node fetches the chain again"


class PrunedBlock(StoreFault):
    """The block is final, but its body is no longer kept here."""

    code = "pruned_block"
    text = "block {height} is pruned here, bodies are kept from {kept_from} on: ask another node"


class UnknownSubject(StoreFault):
    """Nothing that could be traced has this id."""

    code = "unknown_subject"
    text = "{subject} is no sale, pack or lot on this chain: give the id that the pack bears"


class NoMilkBehind(StoreFault):
    """The transaction is not about milk, so there is nothing to trace."""

    code = "no_milk_behind"
    text = "transaction {txid} has no milk behind it: {why}"
