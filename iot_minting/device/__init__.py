"""A measuring device: what stands in it, it alone is trusted with.

`signer` (pure) numbers, links and signs; `journal` is its disk; `session` is one connection to
the broker; `live` is the device: journal first, then publish, forget when receipted.
"""
