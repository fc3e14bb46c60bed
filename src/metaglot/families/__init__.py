"""The kinds of tasks, a file each; `language/` holds the objectives of language models."""
