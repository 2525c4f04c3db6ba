"""Orders: what a till sells at a locked price, and how it is paid."""
