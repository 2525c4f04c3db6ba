"""The door to a node for wallets, payments, gateways and tools. It loads neither store nor shell.

`http` is the client, `queries` the table of what can be asked (a row is a `query`, made of
`requests` and `parameters`), `views` the shapes of the answers, `errors` what can go wrong,
`answers` tells which of the two an answer is, `failover` is the way to several nodes, `framing` how
a stream of blocks is cut. Start at `http.NodeClient`.
"""
