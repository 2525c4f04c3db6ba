"""HTTP servers that strangers reach: uvicorn with bounds, for the payments service and the RPC.

uvicorn parses and answers; nothing in it bounds a head, the time that one takes, the number of
connections, or what a client leaves unread. This package does, before any application code runs
(docs/adr/0011-http-guard.md). It knows nothing of routes, keys or nodes. `status` is the small page
of a process that serves nothing else.
"""
