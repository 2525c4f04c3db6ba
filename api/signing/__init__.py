"""What a merchant's or a union's own key must sign: asked for here, signed elsewhere.

`wire` holds the shapes that the service and a signer exchange, `token` how a signer shows who it
is, `process` is the signer: a process with a key of its own, which believes nothing of what it is
asked.
"""
