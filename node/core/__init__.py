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
Sends are best effort. A `Verify` is answered by a `Verified` with its ticket; a `Submit` is
answered by the machine, by a `Submitted` with its own. So a shell is a loop:

    machine = assemble(genesis, store, key, Params(), records, vrf_secret=secret)
    effects = machine.handle(Start(), now_ms(), wall_ms())
    while True:
        for effect in effects:
            match effect:
                case Append(view, record, epoch): ...  # To disk, before what follows.
                case SendTo(peer, channel, payload): ...
        event = ...  # A message, a client, an answer; or `Tick` at `machine.deadline_ms`.
        effects = machine.handle(event, now_ms(), wall_ms())

Nothing that peers or clients send makes `handle` raise: it becomes a `Warn`, or the code of a
submission. What raises is a bug or a store that fails; the process ends, and votes no more.
"""
