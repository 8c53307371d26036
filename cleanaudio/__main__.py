"""``python -m cleanaudio`` and the ``cleanaudio`` command."""

import sys


def main() -> None:
    """Run the command line and leave with its exit code."""
    from cleanaudio.cli.app import main as run

    sys.exit(run())


if __name__ == "__main__":
    main()
