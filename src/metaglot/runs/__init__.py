"""The weights of a run: reading them, averaging runs, shrinking one."""
