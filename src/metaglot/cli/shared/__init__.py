"""Code that several commands use: options, checks, tables, progress, the record of a command."""
