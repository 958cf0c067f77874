"""Launchpad activities: transactions on Solana, launches, sales, pinning, deployments."""
