"""Running processes over HTTP: what they do, cancel, retry."""
