"""Cash-outs: a farmer or a merchant sends BILL to their union's float, and is paid in ringgit."""
