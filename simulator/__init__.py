"""Simulated worlds around the product: the same parts, driven by a seed instead of by people.

`simulation` runs real node cores over virtual time, a fake network and fake disks, under every
fault and against every mock in `byzantine`; the oracle in `checkers` watches (docs/simulator.md).
`dairy` plays farms, a pasteuriser and their sensors over the real broker; `testnet` starts every
process of the product on one machine.
"""
