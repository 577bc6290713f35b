"""Scripts behind every number in README and docs: ``python -m benchmarks.NAME``."""
