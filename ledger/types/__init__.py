"""Wire types of the ledger: frozen structs that decode strictly and encode to one form.

`transaction` holds the envelope and lists the bodies, which stand in a file a family; `block` has
headers and blocks, `reading` the envelopes that devices sign, `evidence` what proves a mint,
`votes` what proves a fault. No rule stands here: only shapes.
"""
