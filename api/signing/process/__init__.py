"""The signer: the one process that holds the key of an account that pays by itself.

It is asked by the payments service and believes nothing of it: it reads its own node, its own
limits and its own journal. So whoever takes the service over can spend at most a day's limits, and
send refunds to nobody but to those who paid.

`rules` decides what may be signed (pure), `nonces` which number a transaction bears and what became
of one (pure), `journal` keeps the bytes before anybody hears of them, `facts` reads the node,
`desk` joins these for one account, `service_client` speaks with the payments service, `running`
keeps all of it going. It imports nothing of the service but `api.signing.wire`.
"""
