"""The minting gateway: from envelopes over MQTT to a mint transaction that is final.

In: `subscription` and `ingest` take envelopes, `judgement` gives `verdicts` (by `registry` and
`plausibility`), `store` keeps them. Out, a run's way: `policy` cuts it, `claims` claims it,
`attestations` gathers what attestors sign, `outbox` submits it through `chain`. `service` is the
process around both; `config`, `broker` and `metrics` are its home, its loopback broker, its
figures. Pure: `types`, `registry`, `plausibility`, `judgement`, `verdicts`, `policy`, `claims`,
`attestations`. The chain is reached through `node.client` alone.
"""
