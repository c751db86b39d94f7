"""Every query has a name; each takes a connection."""
