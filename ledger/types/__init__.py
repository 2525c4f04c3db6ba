"""Wire types of the ledger: frozen structs that decode strictly and encode to one form.

`transaction` holds the envelope and every body, `block` headers and blocks, `reading` the
envelopes that devices sign, `evidence` what proves a mint. No rule stands here: only shapes.
"""
