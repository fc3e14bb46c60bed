"""Benchmarks of texts that are written: domains, meta-training of LoRA updates, and tables."""
