"""`python -m metaglot` is the command line."""

from metaglot.cli.app import main

if __name__ == "__main__":
    main()
