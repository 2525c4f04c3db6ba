"""Genesis: the readable file that begins a chain, and the state and block that it makes.

`parse_genesis` reads the file and refuses what can't begin a chain; the chain's id is the digest
of the genesis' canonical encoding, so two files that say the same are the same chain whatever
their layout; `genesis_state` and `genesis_block` make block 0.
"""

from ledger.genesis.begin import genesis_block, genesis_hash, genesis_state
from ledger.genesis.lines import GenesisLine, GenesisPermit
from ledger.genesis.schema import format_schema, genesis_schema
from ledger.genesis.text import format_genesis, parse_genesis
from ledger.genesis.types import (
    Genesis,
    GenesisAccount,
    GenesisBond,
    GenesisDevice,
    GenesisRole,
    GenesisStock,
    GenesisValidator,
)

__all__ = [
    "Genesis",
    "GenesisAccount",
    "GenesisBond",
    "GenesisDevice",
    "GenesisLine",
    "GenesisPermit",
    "GenesisRole",
    "GenesisStock",
    "GenesisValidator",
    "format_genesis",
    "format_schema",
    "genesis_block",
    "genesis_hash",
    "genesis_schema",
    "genesis_state",
    "parse_genesis",
]
