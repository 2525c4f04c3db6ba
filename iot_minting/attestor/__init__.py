"""The attestor: a second opinion on every window, apart from the gateway that claims it.

`judging` judges a claim over its envelopes by the ledger's law, `desk` answers and signs, `store`
keeps the evidence behind what was signed.
"""
