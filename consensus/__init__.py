"""Stake-weighted Simplex: blocks become final after three message delays.

The protocol in a page
======================

Time is cut into *views*. Each view has one leader, known beforehand, and ends in one of two ways:
its block is *notarized*, or the view is *nullified*. Both are proven by a certificate, a quorum
of signed votes, and a quorum is more than two thirds of the stake. Whoever holds such a
certificate goes on to the next view. That is the whole motion of the machine; there are no locks,
no rounds within rounds, and nothing that a new leader has to collect from the others.

    leader      propose ─┐                      propose (view v+1, on v's block)
    everyone             └─ notarize(v) ─┐    ┌─┘
    everyone                             └────┴─ finalize(v) ─┐
    everyone                   notarization                   └─ final
    delays       0             1         2                    3

In a good view the leader sends a block (one delay), all answer with *notarize* votes (two), a
quorum of these is a notarization: it opens the next view, whose leader builds on the block at
once, and it lets everyone vote *finalize*. A quorum of finalize votes (three) makes the block
final, with all its ancestors. So a block is final after three delays, and one comes every two.

In a bad view, where the leader is dead, slow or dishonest, patience ends and all vote *nullify*.
A nullification opens the next view just the same, and says: nothing was finalized here, and
nothing will be.

The one subtle rule is what a block may be built on. A leader in view v takes as the parent the
highest notarized block it knows, say of view p, and must show a nullification for every view
between p and v. Without that it could leave out a block that is final already.

The rules
=========

Spec §1.4 states them exactly; each has one home in the code.

R1  Enter the view after any certificate higher than one's own. Forward only.     `certifying`
R2  Propose on the highest notarized block under which all views are nullified.   `proposing`
R3  Notarize the leader's first block, if justified and valid, before nullifying. `voting`
R4  Nullify the current view when patience or trust ends, unless it is finalized. `voting`
R5  Finalize a notarized, valid, durable block, unless the view was nullified.    `voting`
R6  A certificate outranks what the leader sent here.                             `certifying`
R7  Certificates go to who needs them, and later to who seems to lack them.       `sharing`
R8  A late notarization is still a parent.                                        `justify`
R9  A leader that has been silent for long is not waited for.                     `inactivity`
R10 While finality is owed and does not come, say again what was said before.     `pacing`

Why it is safe
==============

Any two quorums overlap in more than a third of the stake, and less than a third is dishonest, so
an honest validator stands in every overlap. It notarizes at most one block a view: hence (a) two
different blocks of one view are never both notarized. It never both nullifies and finalizes a
view: hence (b) a view is never both nullified and finalized. And it notarizes only what is
justified: hence (c) below a notarized block of view v on a parent of view p, all of p's ancestry
is notarized in the same way, and every view between p and v is nullified.

Let a block b of view v be final, and let b' of a view v' >= v be notarized. Walk from b' down its
ancestors to the first whose view u is not above v. If u = v, it is b, by (a), for b was notarized
before anyone honest finalized it. If u < v, then the step that passed over v showed a
nullification of v, by (c), and (b) forbids it. So every notarized block from v on descends from
b; a final block is notarized; thus any two final blocks lie on one chain.

Why it goes on
==============

Once messages arrive within a bounded time, a certificate that one honest validator holds reaches
all of them within a delay: they enter views together. Nobody is ever stuck in a view: either a
quorum notarizes it, or patience ends for all honest validators, who are a quorum, and they
nullify it; who has nullified may still use a late notarization (R8), so the two ways never block
each other. When an honest validator leads, and patience is longer than a block takes to arrive, to
be checked and to be voted for, all honest validators notarize and then finalize its block.
Patience grows with every barren view, so the time comes, and honest leaders recur by their stake.

Where this leaves the paper, and why
====================================

The paper is Benjamin Chan and Rafael Pass, *Simplex Consensus: A Simple and Fast Consensus
Protocol* (2023, https://eprint.iacr.org/2023/463). Its idea and its proof stand. It is written for
a fixed set of players who never forget, over links that lose nothing; so this code, like
commonware's `simplex`, has to say more, and at some places says something else.

- **A view that fails leaves no block.** The paper fills it with a dummy block, so that a chain is
  as long as there were iterations. Here a view is *nullified* by a vote of a kind of its own, and
  heights count real blocks: people, stores and light clients never meet a dummy.
- **A proposal does not carry the chain**, nor does everybody hand on every certificate to all.
  It carries its parent's certificate and the newest nullifications; whoever lacks more asks
  (`fetching`), and certificates go to those who seem to lack them (R7). All to all would cost n²
  times a quorum of signatures a view; this costs n.
- **A finalize vote names the block**, not the iteration alone. So a finalization can be checked by
  itself, by a light client too, and no certificate of one block ever proves another.
- **Finalize waits for the body.** In the paper, who sees a notarization in time may finalize.
  Here the block must be valid *and durable* at this validator (R5): what is final can always be
  executed, and be had from an honest part of the quorum. The vote may come after the view.
- **Nullify excludes notarize, too, once it is cast** (R3). The paper needs only that it excludes
  finalize. The votes of one view then have an order, which a guard without the protocol's other
  reasons can hold. Progress loses nothing: a late notarization is still a parent (R8).
- **Two blocks of one leader end the view** (R6). The paper votes for the first. Here whoever
  saw both votes for neither, and the pair is evidence for which the ledger takes stake.
- **Two timers instead of one, and reasons to give up at once** (R4): 2Δ for the proposal, 3Δ for
  the notarization; none at all for an invalid block, a failed build, or a leader that nullified
  or has long been silent (R9). Patience grows in barren views, for nobody knows the true Δ.
- **Messages get lost.** The paper's arrive in the end. Here a nullify is sent again until its view
  ends, and what was said is said again while finality is owed and does not come (R10).
- **An idle network is silent.** The paper's iterations follow each other without end. Here timers
  run only while a block is due: there is work, a tip lacks finality, or a heartbeat has passed.
- **Stake votes, not heads**, and leaders are not drawn by a public hash of the iteration. An epoch
  has 1,024 slots, shared by stake and shuffled by a seed that earlier leaders' VRF draws made:
  nobody can choose it, only keep a whole block back, and all know it an epoch ahead.
- **Committees change.** The paper's players are fixed, so within an epoch ours are, too (below).
- **Validators crash and forget.** What excludes a vote is on disk before the vote leaves, and who
  lost that memory does not vote until nothing forgotten can matter (`guard`, `silence`).
- **Blocks have a time**, judged against one's own clock (spec §1.7). An early block gets no vote,
  but is no offence; once a quorum has certified it, no clock is asked any more.

How epochs follow each other
============================

The committee changes with the stake, but never while votes are being counted. The chain is cut
into epochs by height, and an engine runs one epoch with one committee. The last block of an epoch
is its boundary. Once it is notarized, leaders propose nothing but the same block again, until it
is final; then the next epoch begins at view 1, with that block as its genesis. Everything that is
signed names its epoch, so what was said in one counts for nothing in another, and the proof above
holds in each by itself. Who sits in epoch e + 2, and in which order they lead, is settled by the
state at the boundary of e: a node always knows who is next before they are (spec §4.2).

The code
========

The engine is sans-IO: `Engine.handle(event, now_ms)` takes an event and returns effects, and
`deadline_ms` says when it wants to be woken. It reads no clock, network, disk or chance, knows
blocks by hash only, and asks the application to build and to check them. Whoever runs it
carries out the effects of `handle`, in their order, and calls again at `deadline_ms`. A
lone validator is its own quorum, so its block is final at once:

>>> from consensus.engine import Engine
>>> from consensus.events import Built, Started, WorkPending
>>> from consensus.params import Params
>>> from consensus.state import first_floor
>>> from ledger.primitives.committee import Committee, Member, Seat
>>> from ledger.primitives.hashing import Hash
>>> from ledger.primitives.keys import Seed, SigningKey
>>> from ledger.primitives.scalars import Epoch
>>> key, genesis = SigningKey(Seed(bytes(32))), Hash(bytes(32))
>>> committee = Committee((Seat(key.public, key.public, stake=1),))
>>> engine = Engine(
...     Params(), genesis, Epoch(0), committee, genesis, Member(0), key, first_floor(genesis)
... )
>>> engine.handle(Started(), now_ms=0)
[]
>>> engine.deadline_ms  # With nothing to do, the heartbeat is next.
10000
>>> (build,) = engine.handle(WorkPending(since_ms=5), now_ms=5)
>>> block = Hash(b"b" * 32), b"what the application made"
>>> effects = engine.handle(Built(build.view, block), now_ms=6)
>>> [type(each).__name__ for each in effects if type(each).__name__ != "Persist"]
['Broadcast', 'Broadcast', 'Finalize', 'Build']

`types` `messages` `events` `effects` `params` `errors`     the words
`quorum` `votes` `view` `tree` `fetching` `leader` `state`  the data, each part with its own law
`certifying` `sharing` `justify` `proposing` `voting`       the rules
`inactivity` `forks`                                        whom not to wait for; who is guilty
`following` `pacing` `intake` `engine`                      keeping up; time; messages; one epoch
`snapshot`                                                  what one may look at from outside
`guard` `journal` `restoring` `silence`                     what holds across a crash

Two more modules have their place here: `vrf`, with which the seeds of epochs are drawn, and its
arithmetic, `curve`.
"""
