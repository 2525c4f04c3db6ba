"""What device and gateway share on the wire; neither's rooms are known here.

`topics` and `receipts` are pure; `mqtt` makes the clients and properties of MQTT 5, `login` what
they show a broker.
"""
