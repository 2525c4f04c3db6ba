"""Why a proof proves nothing: one class a reason, each with a stable code (docs/spec/proofs.md).

ProofFault
+-- BadEncoding              not the canonical encoding of a proof
+-- OtherChain               a part is of another chain than the anchor
+-- AnchorFault
|   +-- BadAnchor              the file is no anchor and no genesis
|   +-- AnchorExpired          too old: its members can lie without being punished
|   +-- BeforeAnchor           the block is of an epoch before the anchor's
+-- LinkFault
|   +-- MissingLink            the links don't lead from the anchor's epoch to the block's
|   +-- BadCommittee           seats that are out of order
|   +-- WrongNextCommittee     seats that the epoch before did not appoint
+-- FinalityFault
|   +-- WrongCommittee         the header names another committee than the trusted one
|   +-- NotFinalization        the votes are of another kind
|   +-- OtherBlock             the votes are for another block
|   +-- WrongView              the votes are of a place where the block can't have been final
|   +-- BadMembers             members that don't ascend, or that have no seat
|   +-- NoQuorum               too little stake
|   +-- SurplusVotes           more votes than a minimal quorum has
|   +-- WrongVoteSignature     a vote that its member did not sign
|   +-- FutureBlock            the block's time is ahead of the verifier's clock
+-- BrokenPath               the headers don't lead down from the final block
+-- InclusionFault
    +-- TransactionNotIncluded the transaction is not under the block's root
    +-- ReceiptNotIncluded     the receipt is not under the block's root
    +-- BadTransaction         what is included is no transaction
    +-- OtherReceipt           the receipt is another transaction's
"""

from typing import ClassVar


class ProofFault(ValueError):
    """A proof, or what it is checked against, is not good. Nothing is proven."""

    code: ClassVar[str] = "proof_fault"


class BadEncoding(ProofFault):
    """The bytes are not the canonical encoding of a proof."""

    code = "bad_encoding"


class OtherChain(ProofFault):
    """A part of the proof is of another chain than the anchor."""

    code = "other_chain"


class AnchorFault(ProofFault):
    """The anchor can't carry this proof."""

    code = "anchor_fault"


class BadAnchor(AnchorFault):
    """The file is neither an anchor nor a genesis."""

    code = "bad_anchor"


class AnchorExpired(AnchorFault):
    """The anchor is older than the trusting period."""

    code = "anchor_expired"


class BeforeAnchor(AnchorFault):
    """The block became final in an epoch before the anchor's."""

    code = "before_anchor"


class LinkFault(ProofFault):
    """The way from the anchor's committee to the block's is not proven."""

    code = "link_fault"


class MissingLink(LinkFault):
    """The links don't lead, epoch by epoch, from the anchor's to the block's."""

    code = "missing_link"


class BadCommittee(LinkFault):
    """The seats of a committee don't ascend by vote key."""

    code = "bad_committee"


class WrongNextCommittee(LinkFault):
    """The seats of a link are not those that its header appoints."""

    code = "wrong_next_committee"


class FinalityFault(ProofFault):
    """It is not proven that a block is final."""

    code = "finality_fault"


class WrongCommittee(FinalityFault):
    """A header names another committee than the one that is trusted for its epoch."""

    code = "wrong_committee"


class NotFinalization(FinalityFault):
    """The votes are no finalize votes."""

    code = "not_finalization"


class OtherBlock(FinalityFault):
    """The votes are for another block than the header's."""

    code = "other_block"


class WrongView(FinalityFault):
    """The votes are of an epoch or view in which the block can't have become final."""

    code = "wrong_view"


class BadMembers(FinalityFault):
    """The members of a certificate don't ascend, or have no seat."""

    code = "bad_members"


class NoQuorum(FinalityFault):
    """The votes' stake is below the quorum."""

    code = "no_quorum"


class SurplusVotes(FinalityFault):
    """A certificate holds a vote that its quorum does not need."""

    code = "surplus_votes"


class WrongVoteSignature(FinalityFault):
    """A vote bears a signature that is not its member's."""

    code = "wrong_signature"


class FutureBlock(FinalityFault):
    """The final block's time is ahead of the verifier's clock."""

    code = "future_block"


class BrokenPath(ProofFault):
    """The headers don't lead from the final block down to the payment's."""

    code = "broken_path"


class InclusionFault(ProofFault):
    """It is not proven that the block holds the transaction with this outcome."""

    code = "inclusion_fault"


class TransactionNotIncluded(InclusionFault):
    """The transaction's path does not end at the header's root."""

    code = "transaction_not_included"


class ReceiptNotIncluded(InclusionFault):
    """The receipt's path does not end at the header's root."""

    code = "receipt_not_included"


class BadTransaction(InclusionFault):
    """What is included does not decode as a transaction."""

    code = "bad_transaction"


class OtherReceipt(InclusionFault):
    """The receipt is of another transaction."""

    code = "other_receipt"
