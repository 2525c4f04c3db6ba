"""Top-ups: somebody pays cash at an office or a till, and the union's float sends them BILL."""
