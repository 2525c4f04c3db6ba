"""Mutants: the product with one rule broken each, and how soon the simulator must notice.

A mutant is one or more textual replacements, applied to a copy of the sources and never to the
product. Where a rule is held twice (by the rule and by the signer guard behind it), both are
broken, so that the oracle is what catches it. The first seeds of `scenario` are tried in order;
one of the first `seeds` must fail.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Edit:
    """One replacement: `old` stands exactly once in the file."""

    path: str
    old: str
    new: str


@dataclass(frozen=True)
class Mutant:
    """A broken rule."""

    name: str
    breaks: str
    scenario: str
    seeds: int
    edits: tuple[Edit, ...]


VOTING = "consensus/voting.py"
GUARD = "consensus/guard.py"
ENGINE = "consensus/engine.py"
INTAKE = "consensus/intake.py"
CERTIFYING = "consensus/certifying.py"
QUORUM = "consensus/quorum.py"
TYPES = "consensus/types.py"
JUSTIFY = "consensus/justify.py"
VOTES = "consensus/votes.py"
FOLLOWING = "consensus/following.py"
PACING = "consensus/pacing.py"
PARAMS = "consensus/params.py"
FETCHING = "consensus/fetching.py"
JOURNAL = "consensus/journal.py"
MACHINE = "node/core/machine.py"
APPLICATION = "node/core/application.py"

NO_GUARD = Edit(
    GUARD,
    '        """Sign the subject, or raise `GuardBreach`."""\n        self._judge(subject)\n',
    '        """Sign the subject, or raise `GuardBreach`."""\n',
)

MUTANTS = (
    Mutant(
        "quorum-by-count",
        "stake is summed, never heads counted",
        "crowd",
        10,
        (
            Edit(TYPES, "return sum(seat.stake for seat in self.seats)", "return len(self.seats)"),
            Edit(TYPES, "return self.seats[member].stake", "return 1"),
        ),
    ),
    Mutant(
        "quorum-of-half",
        "a quorum is above two thirds",
        "calm",
        10,
        (Edit(TYPES, "return 2 * self.total // 3 + 1", "return self.total // 2 + 1"),),
    ),
    Mutant(
        "quorum-short-of-one",
        "two thirds exactly are no quorum",
        "calm",
        20,
        (Edit(TYPES, "return 2 * self.total // 3 + 1", "return 2 * self.total // 3"),),
    ),
    Mutant(
        "nullify-after-finalize",
        "R4: in the current view only, own finalize unset",
        "cuts",
        20,
        (
            NO_GUARD,
            Edit(
                VOTING,
                "    s.timers.retry_ms = s.now_ms + s.params.retry_ms\n    cast(s, Subject(",
                "    s.timers.retry_ms = s.now_ms + s.params.retry_ms\n"
                "    left = View(s.view - 1)\n"
                "    if left and left > s.finalized_view and s.round(left).block:\n"
                "        cast(s, Subject(VoteKind.NULLIFY, s.epoch, left, View(0), ZERO_HASH))\n"
                "    cast(s, Subject(",
            ),
        ),
    ),
    Mutant(
        "finalize-after-nullify",
        "R5: own nullify unset",
        "lossy",
        40,
        (
            NO_GUARD,
            Edit(
                VOTING,
                "if notarization is None or VoteKind.NULLIFY in known.own or "
                "VoteKind.FINALIZE in known.own:",
                "if notarization is None or VoteKind.FINALIZE in known.own:",
            ),
        ),
    ),
    Mutant(
        "notarize-after-nullify",
        "R3: own nullify unset",
        "mock-slow-leader",
        40,
        (
            NO_GUARD,
            Edit(
                VOTING,
                "if VoteKind.NOTARIZE in known.own or VoteKind.NULLIFY in known.own:",
                "if VoteKind.NOTARIZE in known.own:",
            ),
            Edit(
                VOTING,
                "if notarization is None or VoteKind.NULLIFY in known.own or "
                "VoteKind.FINALIZE in known.own:",
                "if notarization is None or VoteKind.FINALIZE in known.own:",
            ),
        ),
    ),
    Mutant(
        "finalize-another-block",
        "R5: own notarize absent or equal",
        "mock-equivocating-leader",
        40,
        (
            NO_GUARD,
            Edit(
                VOTING,
                "    if own is not None and own.subject != notarization.subject:\n"
                "        return None\n",
                "",
            ),
            Edit(
                VOTING,
                "view <= s.finalized_view or known.equivocated:",
                "view <= s.finalized_view:",
            ),
        ),
    ),
    Mutant(
        "send-before-sync",
        "a vote is durable before it is sent",
        "calm",
        2,
        (
            Edit(VOTING, "    s.persist(subject.view, vote)\n    return vote\n", "    return vote\n"),
            Edit(
                VOTING,
                "    s.broadcast(vote)\n    count_vote(s, vote, verified=True)\n\n\ndef make_durable",
                "    s.broadcast(vote)\n    s.persist(subject.view, vote)\n"
                "    count_vote(s, vote, verified=True)\n\n\ndef make_durable",
            ),
        ),
    ),
    Mutant(
        "votes-forgotten-at-restart",
        "own votes are restored from the journal",
        "crashes",
        20,
        (
            Edit(
                ENGINE,
                "        if isinstance(record, Vote):\n            _restore_vote(s, record)\n",
                "        if isinstance(record, Vote) and record.signer != s.me:\n"
                "            _restore_vote(s, record)\n",
            ),
        ),
    ),
    Mutant(
        "guard-forgets-at-restart",
        "the guard's memory is filled from the journal, and the rules lean on it",
        "crashes",
        40,
        (
            Edit(
                ENGINE,
                "        s.guard.remember(vote)\n"
                "        s.round(vote.subject.view).own[vote.subject.kind] = vote\n",
                "        pass\n",
            ),
        ),
    ),
    Mutant(
        "equivocation-forgotten-at-restart",
        "a leader seen to equivocate stays guilty across restarts (the nullify that would"
        " hide it is taken away, too)",
        "restart-after-lie",
        60,
        (
            Edit(
                VOTING,
                "if known.refused or known.equivocated or given_up or unlawful:",
                "if known.refused or given_up or unlawful:",
            ),
            Edit(
                ENGINE,
                "        if isinstance(record, Vote):\n            _restore_vote(s, record)\n",
                "        if isinstance(record, Vote) and record.signer == s.me:\n"
                "            _restore_vote(s, record)\n",
            ),
        ),
    ),
    Mutant(
        "skipped-gap-check",
        "R3: every skipped view is nullified",
        "mock-unjustified-skip",
        40,
        (
            Edit(
                VOTING,
                "lawful = has_lawful_parent(s, proposal) and find_gap(s, proposal) is None",
                "lawful = has_lawful_parent(s, proposal)",
            ),
        ),
    ),
    Mutant(
        "skipped-parent-check",
        "R3: the parent is notarized and not below what is final",
        "mock-unjustified-skip",
        60,
        (
            Edit(
                VOTING,
                "lawful = has_lawful_parent(s, proposal) and find_gap(s, proposal) is None",
                "lawful = True",
            ),
        ),
    ),
    Mutant(
        "skip-a-notarized-view",
        "R2 and R3: a notarized view is no nullified one",
        "storm",
        40,
        (
            Edit(
                JUSTIFY,
                "        if known is not None and known.block is not None:\n"
                "            return known.block\n        if not s.is_nullified(view):",
                "        if not s.is_nullified(view) and s.notarized_at(view) is None:",
            ),
            Edit(
                JUSTIFY,
                "        if not s.is_nullified(View(view)):\n"
                "            return _gap_down_from(s, View(view))\n    return None",
                "        if not s.is_nullified(View(view)) and s.notarized_at(View(view)) is None:\n"
                "            return _gap_down_from(s, View(view))\n    return None",
            ),
            Edit(
                JUSTIFY,
                "    between = (s.rounds[View(view)] for view in range(lowest, s.view))\n"
                "    nullifications = tuple(known.certificates[VoteKind.NULLIFY] for known in between)",
                "    between = (s.rounds[View(view)] for view in range(lowest, s.view))\n"
                "    nullifications = tuple(\n"
                "        known.certificates[VoteKind.NULLIFY]\n"
                "        for known in between\n"
                "        if VoteKind.NULLIFY in known.certificates\n    )",
            ),
        ),
    ),
    Mutant(
        "finalize-without-body",
        "R5: the body is durable and valid",
        "mock-body-to-few",
        20,
        (
            Edit(
                VOTING,
                "    if not s.tree.is_valid(certified_block(notarization)):\n        return None\n",
                "",
            ),
            Edit(
                VOTING,
                '        assert node is not None, "a valid block above the floor has its body here"\n'
                "        make_durable(s, node)\n",
                "        if node is not None:\n            make_durable(s, node)\n",
            ),
        ),
    ),
    Mutant(
        "approve-what-failed",
        "a block whose check failed is refused",
        "mock-invalid-block",
        10,
        (
            Edit(
                FOLLOWING,
                "    if event.verdict is Verdict.VALID:\n        node.standing",
                "    if event.verdict in Verdict:\n        node.standing",
            ),
        ),
    ),
    Mutant(
        "no-leader-check",
        "R3: the scheduled leader's proposal",
        "mock-usurper",
        20,
        (
            Edit(
                INTAKE,
                "    if vote.signer != s.schedule.leader(block.view):\n",
                "    if vote.signer not in s.peers and vote.signer != s.me:\n",
            ),
        ),
    ),
    Mutant(
        "votes-in-others-names",
        "a direct vote comes from its signer",
        "mock-impersonator",
        20,
        (
            Edit(
                INTAKE,
                "    if sender != vote.signer:\n"
                '        raise WrongSender(f"it sent a vote of member {vote.signer}")\n',
                "",
            ),
        ),
    ),
    Mutant(
        "signatures-unchecked",
        "a vote counts when its signature is its signer's",
        "mock-invalid-signatures",
        20,
        (
            Edit(
                VOTES,
                "            if good:\n                self._verified[subject][member]",
                "            if good or signature:\n                self._verified[subject][member]",
            ),
        ),
    ),
    Mutant(
        "digests-mixed",
        "votes for different blocks are not added up",
        "mock-equivocating-leader",
        20,
        (
            Edit(
                VOTES,
                "        pool.setdefault(vote.subject, {})[vote.signer] = vote.signature\n",
                "        same = (s for s in pool if s.kind is vote.subject.kind)\n"
                "        subject = next(same, vote.subject)\n"
                "        pool.setdefault(subject, {})[vote.signer] = vote.signature\n",
            ),
        ),
    ),
    Mutant(
        "certificates-unchecked",
        "certificates of others are verified",
        "mock-forged-certificates",
        10,
        (
            Edit(
                CERTIFYING,
                "    verify_certificate(s.committee, s.chain_id, certificate)\n    hold",
                "    hold",
            ),
        ),
    ),
    Mutant(
        "signers-counted-twice",
        "a certificate names each member once",
        "mock-forged-certificates",
        20,
        (
            Edit(
                QUORUM,
                "    if any(a >= b for a, b in pairwise(members)):\n",
                "    if any(a > b for a, b in pairwise(members)):\n",
            ),
            Edit(QUORUM, "    if sum(stakes) - min(stakes) >= committee.quorum:\n", "    if False:\n"),
        ),
    ),
    Mutant(
        "certificates-of-too-few",
        "a certificate holds a quorum of stake",
        "mock-forged-certificates",
        20,
        (Edit(QUORUM, "    if sum(stakes) < committee.quorum:\n", "    if not stakes:\n"),),
    ),
    Mutant(
        "finality-claimed-without-proof",
        "synced blocks are believed for their finalization alone",
        "mock-bogus-fetch",
        60,
        (
            Edit(
                MACHINE,
                "        verify_certificate(self._config.committee, self.application.chain_id, "
                "certificate)\n",
                "",
            ),
        ),
    ),
    Mutant(
        "application-ahead-of-consensus",
        "consensus is told of every block that sync applied",
        "all",
        100,
        (Edit(MACHINE, "        self._told.append(told.CaughtUp(certificate))\n", ""),),
    ),
    Mutant(
        "transactions-unverified",
        "every signature of a block is verified before it is executed",
        "mock-invalid-block",
        20,
        (Edit(MACHINE, "        if not unverified:\n", "        if unverified is not None:\n"),),
    ),
    Mutant(
        "state-root-unchecked",
        "a block's state root is what executing it gives",
        "mock-invalid-block",
        20,
        (
            Edit(
                APPLICATION,
                "        if outcome.state_root != header.state_root:\n",
                "        if not outcome.state_root:\n",
            ),
        ),
    ),
    Mutant(
        "time-runs-backwards",
        "a block is later than its parent",
        "mock-invalid-block",
        20,
        (
            Edit(
                APPLICATION,
                "if header.height != parent.height + 1 or header.time_ms <= parent.time_ms:",
                "if header.height != parent.height + 1:",
            ),
        ),
    ),
    Mutant(
        "back-off-never-grows",
        "timeouts grow while nothing becomes final",
        "slow",
        40,
        (
            Edit(
                PARAMS,
                "        grown = base_ms\n        for _ in range(barren_views - GRACE_VIEWS + 1):\n",
                "        grown = base_ms\n        for _ in range(0):\n",
            ),
        ),
    ),
    Mutant(
        "back-off-reset-early",
        "only a finalization resets the back-off",
        "slow",
        60,
        (
            Edit(
                VOTING,
                "    barren_views = s.view - s.finalized_view - 1\n    waited_ms",
                "    barren_views = s.view - max(s.tip, s.finalized_view, s.view - 2) - 1\n"
                "    waited_ms",
            ),
        ),
    ),
    Mutant(
        "retry-not-re-armed",
        "a nullify is sent again after a restart (R10 taken away, too: it would do the same)",
        "stuck-view",
        60,
        (
            Edit(
                ENGINE,
                "        if VoteKind.NULLIFY in known.own:\n"
                "            s.timers.retry_ms = s.now_ms + s.params.retry_ms\n",
                "",
            ),
            Edit(
                ENGINE,
                "        if any(s.rounds[view].own for view in s.rounds):\n"
                "            pacing.resend(s)\n",
                "",
            ),
            Edit(ENGINE, "    pacing.stand_up(s)\n", ""),
        ),
    ),
    Mutant(
        "no-standstill",
        "R10: what is stored is sent again while finality is owed (retry taken away, too)",
        "storm",
        60,
        (
            Edit(ENGINE, "    pacing.stand_up(s)\n", ""),
            Edit(ENGINE, "    pacing.retry(s)\n", ""),
        ),
    ),
    Mutant(
        "fetch-asks-once",
        "a fetch goes on around the table until it is answered",
        "mock-body-to-few",
        60,
        (
            Edit(
                FETCHING,
                "                attempt.due_ms = now_ms + attempt.wait_ms\n",
                "                attempt.due_ms = now_ms + 2**40\n",
            ),
        ),
    ),
    Mutant(
        "sync-asks-one-peer",
        "block sync passes over who was asked in vain",
        "lagging",
        60,
        (
            Edit(
                MACHINE,
                "for member in sorted({source, *voters} - {self._config.me}):",
                "for member in [source]:",
            ),
        ),
    ),
    Mutant(
        "refuse-after-own-nullify",
        "R8: a block that was notarized after one's own nullify is a possible parent",
        "storm",
        60,
        (
            Edit(
                JUSTIFY,
                "    notarization = s.notarized_at(parent.view)\n    return notarization is not None",
                "    notarization = s.notarized_at(parent.view)\n"
                "    if VoteKind.NULLIFY in s.round(parent.view).own:\n        return False\n"
                "    return notarization is not None",
            ),
        ),
    ),
    Mutant(
        "idle-spins",
        "an idle network is silent until the heartbeat",
        "idle",
        5,
        (
            Edit(
                PACING,
                "    due = s.now_ms >= proposal_due_ms(s, s.params.delta_ms)\n    if not",
                "    due = True\n    if not",
            ),
        ),
    ),
    Mutant(
        "torn-tail-is-damage",
        "a torn last frame is cut off, not taken for lost votes",
        "crashes",
        20,
        (Edit(JOURNAL, "            if _is_followed(raw, offset):\n", "            if offset:\n"),),
    ),
    Mutant(
        "verdict-on-what-is-final",
        "no verdict is given on a height that block sync made final",
        "all",
        400,
        (
            Edit(
                MACHINE,
                "        if parsed.block.header.height <= self.application.height:\n",
                "        if parsed.block.header.height < 0:\n",
            ),
        ),
    ),
    Mutant(
        "votes-signed-anew",
        "what is resent is the stored vote, never a new one",
        "storm",
        20,
        (
            Edit(
                PACING,
                "*known.certificates.values(), *known.own.values()]",
                "*known.certificates.values(),\n"
                "            *(s.guard.sign(v.subject) for v in known.own.values() if s.guard)]",
            ),
        ),
    ),
)
