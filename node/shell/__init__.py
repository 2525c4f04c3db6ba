"""The world around the machine: transport, journal, event loop, RPC, telemetry.

Everything here waits, writes or sends; nothing here decides what is valid. All of it runs under
trio, except the RPC process (`rpc`), which is asyncio's and talks over a unix socket.
"""
