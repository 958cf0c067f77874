"""Copytrade in the books: leaders, events, groups, portfolios."""
