"""The payments service: orders, QR, submission, validation, and the follower that settles them.

It holds no keys of users and no part of consensus: wallets sign, nodes decide, and this package
ties what is final on the chain to what a till has sold.
"""
