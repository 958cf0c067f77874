"""Polymarket's public APIs as they are: Data API v2 and v1, CLOB, Gamma, the CLOB's market WebSocket."""
