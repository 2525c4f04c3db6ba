"""Simulated worlds around the product: the same parts, driven by a seed instead of by people.

`dairy` plays farms, a pasteuriser and their sensors over the real broker; `testnet` starts every
process of the product on one machine.
"""
