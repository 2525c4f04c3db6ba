"""What the service keeps secret: its key files, sealed columns, and blind indexes over them."""
