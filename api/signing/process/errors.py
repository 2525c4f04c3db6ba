"""Faults of the signer.

SignerFault
+-- SigningRefused   what was asked for is not signed; has a stable code, told to the service
+-- BadJournal       the journal is of another chain, or can't be read
+-- HistoryLacking   the node does not know all that the account ever sent
"""

from node.errors import NodeFault


class SignerFault(NodeFault):
    """Something is not as the signer needs it."""


class SigningRefused(SignerFault):
    """Nothing is signed. `code` is stable and of the catalogue in docs/operating/signer.md."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class BadJournal(SignerFault):
    """The journal is unreadable, or another chain's."""


class HistoryLacking(SignerFault):
    """The node shows fewer transactions of the account than its nonce counts."""
