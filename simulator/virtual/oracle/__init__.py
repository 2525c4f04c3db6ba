"""The oracle: what must hold of every simulated run, worked out apart from the product.

`checkers` judges each step; `ballots`, `chronicle`, `committees` and `stakes` are its own memory of
votes, blocks, seats and bonds; `light_clients` asks as an outsider would. It shares the wire types,
the leader schedule and the ledger's transition with the product, and none of its predicates.
"""
