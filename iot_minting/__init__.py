"""From a device's signed readings to a lot on the chain, a room for each zone of trust.

`device` measures and signs; `gateway` judges, claims windows and submits them; `attestor` judges
them apart from whoever claims; `wire` is what device and gateway say to each other. No room but
the gateway knows another than `wire`, and the gateway knows no device. Beside them: `errors` and
`even_clock`, which all use, and `cli`, the command.
"""
