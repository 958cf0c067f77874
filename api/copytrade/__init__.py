"""Routes below /api/copytrade."""
