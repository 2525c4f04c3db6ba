"""A simulated dairy: herds, milk meters and a pasteurizer line, and recordings played as one.

Every sensor is a real `iot_minting.device.live` with a key, a journal and an MQTT session; only the
milk is made up. Seeded: the same seed gives the same keys and the same milk.
"""
