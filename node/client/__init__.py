"""The door to a node for wallets, payments, gateways and tools. It loads neither store nor shell.

`http` is the client, `views` the shapes it answers with, `errors` what can go wrong, `failover` the
way to several nodes, `framing` how a stream of blocks is cut. Start at `http.NodeClient`.
"""
