"""Postgres, the book of record. `books` alone writes money; `intents` is what the API may write; `reads` answers."""
