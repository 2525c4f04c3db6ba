"""The minting gateway: from envelopes over MQTT to a mint transaction that is final.

In: `subscription` and `ingest` take envelopes, `judgement` gives `verdicts` (by `registry` and
`plausibility`), `store` keeps them. Out, a run's way: `policy` cuts it, `claims` claims it,
`attestations` gathers what attestors sign, `outbox` submits it through `chain`. `service` is the
process around both; `config`, `broker` and `metrics` are its home, its loopback broker, its
figures. Pure: `types`, `registry`, `plausibility`, `judgement`, `verdicts`, `policy`, `claims`,
`attestations`. The chain is reached through `node.client` alone.

The second law (`law = 2`, docs/spec/minting.md §8) has its own way through the same process. In:
`linking` judges by the link alone, `archive` keeps what links. Out: `following` makes `facts` of
final blocks (by `views`), `minting` decides over them and the `shelf`'s `pieces` (`collecting` of
meters, `cutting` and `drawing` of windows), `letters` are on disk before `posting` signs and sends
them. `line_service` is the process, `telling` its words. Pure: `authenticity`, `linking`, `pieces`,
`collecting`, `cutting`, `drawing`, `facts`, `minting`.
"""
