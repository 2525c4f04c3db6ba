"""The minting gateway: from a device's signed readings over MQTT to a lot on the chain.

Pure: `types`, `topics`, `claims`, `registry`, `plausibility`, `policy`, `gateway`, `attest`. They
take bytes and times and give verdicts, claims and transactions. Shell: `store` (SQLite), `mqtt`,
`device`, `broker`, `config`, `service`, `cli`. The chain is reached through `node.client` alone.
"""
