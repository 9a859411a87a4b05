"""Where notifications come from: each module reads one kind of source and gives messages, whole and unread."""
