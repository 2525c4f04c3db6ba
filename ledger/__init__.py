"""The law of milk-backed money: pure rules over plain data.

Holds primitives (amounts, hashing, keys, codec, merkle), wire types, state, and one module of
rules a family of transactions; `ledger.transition.apply_block` reads as the protocol.

Invariant: supply = minted - redeemed, after every block. Nothing here reads a clock, a network,
a disk (but `ledger.store.disk`) or chance, and no value is ever a float.
"""

if not __debug__:
    raise ImportError("the law's last guards are assertions: run without -O and PYTHONOPTIMIZE")
