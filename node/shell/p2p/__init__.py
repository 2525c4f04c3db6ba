"""Validators speaking to each other: libp2p as authenticated streams, with bounds before trust."""

from node.shell.p2p.absent import stand_in

stand_in()  # Here, since every module of this package that imports libp2p comes through here.
