"""Stake-weighted Simplex: blocks become final by three message delays.

The engine is sans-IO: `Engine.handle(event, now_ms)` returns effects. It knows blocks by hash;
the application builds and checks them.
"""
