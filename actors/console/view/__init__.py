"""`runner console`: a full-screen view of what is live, on textual. It decides nothing."""
