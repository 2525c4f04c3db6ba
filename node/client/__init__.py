"""The door to a node for wallets, payments, gateways and tools. It loads neither store nor shell.

`http` is the client, `queries` the table of what can be asked (a row is a `query`, made of
`requests` and `parameters`), `views` the shapes of the answers, `errors` what can go wrong,
`answers` tells which of the two an answer is, `failover` is the way to several nodes, `framing` how
a stream of blocks is cut. Start at `http.NodeClient`:

    async with NodeClient("http://127.0.0.1:26") as node:
        account = await node.account(address)
        intent = Intent(chain_id, policy, account.pending_nonce, fee_units, last_height, body)
        transaction = sign(intent, key)
        (told,) = await node.submit([encode(transaction)])
        if told.code:
            raise SystemExit(f"refused: {told.code}: {told.detail}")
        shown = await node.transaction(transaction.id, wait_ms=10_000)
        if shown.state is TransactionState.FINAL and not shown.code: ...  # It took effect.

Ids, hashes, keys and addresses are bytes, amounts whole units, times UTC milliseconds; heights
count from 1, the genesis is 0. Every call waits for its answer some seconds and then raises one of
two faults. `NodeUnavailable`: ask again, perhaps another node (`Unanswered` says that what was
handed over may yet be carried out; to hand the same transaction in again is harmless). `Rejected`:
asking again won't help; its `code` is stable, its `detail` for people. `blocks` alone never ends
and never raises for a node that is away: it waits for it.

Lists come newest first, in pages. The next page begins below the last entry of this one:

    page = await node.history_page(address)
    while page:
        ...
        page = await node.history_page(address, (page[-1].height, page[-1].index))
"""
