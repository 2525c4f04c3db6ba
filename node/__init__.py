"""A validator: the ledger and consensus joined (`core`), and the world around them (`shell`).

`core` is pure and is what the simulator drives. `shell` owns the network, the disk, the clock and
the RPC. Everyone else reaches a running node through `node.client.http` alone.
"""
