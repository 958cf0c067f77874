"""Each benchmark is a ratio against a peer or a limit, both sides measured alternately in one run.

`python -m benchmarks` lists them, `python -m benchmarks.<name>` runs one, `make bench` runs all. How to read the
figures: docs/reference/benchmarks.md.
"""
