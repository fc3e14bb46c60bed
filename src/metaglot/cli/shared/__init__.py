"""What several commands share: options, checks, tables, progress, the record of a command."""
