"""The node's answers to clients: an HTTP process of its own and the unix socket that joins it.

What can be asked is the table in `node.client.queries`. `backend` answers from chain and core,
`server` is the validator's end of the socket, `wire` the messages on it, `link` and `desk` the HTTP
process's end; `app` is its HTTP face, with `bodies`, `problems` and `openapi` beside it.
"""
