"""The command line, as `metaglot` and as `python -m metaglot`."""

import sys


def main() -> None:
    """Run the command line; an interrupt while it is loading ends it in one line, as a later one does."""
    try:
        from metaglot.cli.app import main as run
    except KeyboardInterrupt:
        sys.stderr.write("metaglot: interrupted\n")
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
