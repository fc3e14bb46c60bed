"""What sets some kinds of tasks of a recipe apart from the others."""

PLAIN = ("plain", "replaced-tokens", "simcse")
"""Kinds without a support set."""

LANGUAGE = ("plain", "domain-lm")
"""Kinds that the language-model head scores."""
