"""The pure join of consensus and ledger: one validator as a state machine.

`machine.Machine.handle(event, now_ms, clock_ms)` takes what happened and returns what to do; times
and every byte from outside come in as arguments. The real node and the simulator drive this same
code, so the seam between consensus and ledger is under test wherever either of them is.

    events      what the machine is told          effects     what it asks for
    wire        messages between nodes            mempool     transactions that wait
    application the ledger in ABCI's words        verifier    signatures, checked once
    draws       what leaders draw                 sync        whole finalized blocks
    machine     the join

Law of the shell: all effects of one `handle` are carried out, in order, before the next call;
every `Append` and `Commit` is on stable storage before any later `SendTo` or `SendAll` leaves.
"""
