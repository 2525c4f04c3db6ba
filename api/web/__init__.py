"""Pages that the service serves itself: no file here loads anything from elsewhere."""
