"""The price feeder: a process that tells the chain what a litre of milk costs (ledger spec §13).

It reads a source it was given, a file or an address, judges what it reads, and signs `FeedPrice`
with a key that holds the oracle's licence. `quotes` reads what a source says, `judging` decides
whether it may be believed, `policy` when it is fed and what becomes of a feed; these three are
pure. `sources` fetches, `memory` keeps what outlives the process, `status` is its HTTP, `service`
carries effects out, `config` is its home.

It knows the chain as everyone does, by `node.client`, and runs on any machine. A price that can't
be believed is told and never fed: silence costs nothing while the others are a quorum.

("Oracle" names the role on the chain and the command; `simulator.virtual.oracle` is another thing:
the judge of simulated runs.)
"""
