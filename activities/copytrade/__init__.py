"""Effects of copytrade: polls, books, decisions, marks."""
