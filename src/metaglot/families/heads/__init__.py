"""Heads in closed form, a file a kind of task."""
