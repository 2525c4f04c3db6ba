"""What the service does, apart from HTTP: each module takes plain values and a connection.

`settlement` decides what a final transaction does to an order; `orders` opens and expires them;
`submission` checks what a wallet signed; `payments` looks up and judges; `stock` mirrors the
ledger's lots; `limits` counts requests; `outbox` tells what happened; `catalogue` names what is
sold and by whom.
"""
