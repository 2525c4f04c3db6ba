"""The minting gateway: from envelopes over MQTT to milk and windows that are final on the chain.

In: `subscription` and `ingest` take envelopes, `linking` gives `verdicts` (by `registry`,
`authenticity` and each device's `allowance`), `archive` and `quarantine` keep them. Out:
`following` gives the `facts` of final blocks (by `views`), `minting` decides by them and by the
`pieces` on the `shelf` (`collecting` of meters, `cutting` and `drawing` of windows), `letters` are
on disk before `posting` signs and sends them through `chain`. `service` runs it all, `serving` is
the process around it, `status` tells of it; `config`, `broker` and `metrics` are its home, its
loopback broker, its figures. The chain is reached through `node.client` alone.
"""
