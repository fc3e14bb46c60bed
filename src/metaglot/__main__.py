"""The command line, as `metaglot` and as `python -m metaglot`."""

import os
import sys


def main() -> None:
    """Run the command line; an interrupt while it is loading ends it in one line, as a later one does."""
    try:
        from metaglot.cli.app import main as run
    except KeyboardInterrupt:
        if "METAGLOT_LAUNCHER" not in os.environ:  # else a rank, and the process speaks that started it
            sys.stderr.write("metaglot: interrupted\n")
        sys.exit(130)
    run(began=0.0)


if __name__ == "__main__":
    main()
