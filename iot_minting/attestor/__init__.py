"""The attestor: a second opinion on every run, written apart from the gateway on purpose.

`attest` (pure) recomputes a claim from its raw envelopes by the ledger's law, and signs it.
"""
