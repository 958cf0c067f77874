"""Solana: JSON-RPC over several nodes, sending, signing, the programs we call."""
