"""Validators speaking to each other: libp2p as authenticated streams, with bounds before trust."""
