"""Simulated worlds around the product, three houses that share no code.

`virtual` runs real node cores in virtual time, under every fault and against every liar.
`dairy` plays farms, a pasteurizer and their sensors over the real broker, and a shopper who pays.
`testnet` starts every process of the product on one machine and shows their state.
"""
