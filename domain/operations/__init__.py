"""Rules and words of the system's own upkeep: backups, drills, webhooks, checks."""
