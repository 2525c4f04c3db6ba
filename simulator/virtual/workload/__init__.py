"""What honest people do on a simulated chain: pay, mint and redeem milk, join and leave as stakers.

Each kind of client is a module; all draw their chance from the world's streams and act through the
same submissions as a client of the product.
"""
