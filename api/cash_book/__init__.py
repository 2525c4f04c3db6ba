"""The cash book: what cash and BILL went through a union's hands, entry by entry, never changed."""
