"""Simulation in virtual time: real node cores, fake clock, network and disk; one seed, one trace.

`simulation` runs a seed of one of the `scenarios`: `process` hosts a core, `world` keeps the time,
`network`, `disk` and `faults` break what may break, `byzantine` holds the liars, `workload` the
honest clients, `oracle` what must hold, `picture` what a person looks at, `growth` what it costs.
Nothing here imports the dairy or the testnet, and neither imports this (docs/simulator/virtual.md).
"""
