"""The parts of the benchmark; bench.py is the entry."""
