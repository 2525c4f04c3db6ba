"""On chains of development alone: a customer that pays, or doesn't, as one asks it to."""
