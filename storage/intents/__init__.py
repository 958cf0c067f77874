"""What the API may write: intents and settings, never money. Each takes the caller's open transaction."""
