"""Our programs for Solana's virtual machine: C sources, the build, and the built files as they are deployed."""
