"""Integration tests import libp2p by itself, too: what it asks for in vain must stand in before."""

import node.shell.p2p  # noqa: F401
