"""Token launches and their sales, as values and rules."""
