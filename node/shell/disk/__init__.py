"""What a validator must find again after a crash: a journal of votes, synced before they leave."""
