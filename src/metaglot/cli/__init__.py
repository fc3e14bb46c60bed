"""The command line: `app` gathers the commands, one file each; `shared/` holds what several of them need."""
