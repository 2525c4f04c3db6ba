"""What every floor stands on: amounts, hashing, keys, the canonical codec and Merkle trees.

Pure functions over bytes and integers. No module here knows what a transaction or a block is.
"""
