"""The launchpad's rows: what its activities ask for, each method one transaction."""
