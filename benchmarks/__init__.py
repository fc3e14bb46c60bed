"""What is measured by hand or for a page: run as `python -m benchmarks.NAME`, from the root of a clone."""
