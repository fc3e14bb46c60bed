"""Adapting beside the answers: what a job does, the process that does it, and who gives it jobs."""
