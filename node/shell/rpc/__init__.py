"""The node's answers to clients: an HTTP process of its own and the unix socket that joins it.

`server` is the validator's end of the socket, `link` and `desk` the HTTP process's; `app` is its
HTTP face, `wire` the messages between the two, `queries` what is asked of chain and core.
"""
