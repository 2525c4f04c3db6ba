"""Events: what happened, merchant by merchant, for streams, waiters and webhooks."""
