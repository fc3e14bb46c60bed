"""Kills, full disks and changed bytes: what is saved is whole, or it is said.  `python -m benchmarks.faults`."""
