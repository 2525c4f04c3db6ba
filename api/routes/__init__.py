"""The routes: they read requests, call the service, and write answers. No rule stands here.

`orders` and `validate` are hot: plain Starlette handlers over msgspec, added past FastAPI's
machinery, described for OpenAPI in `contract`. The rest are ordinary FastAPI routes.
"""
