"""``python -m cleanaudio`` and the ``cleanaudio`` command."""

import os
import signal
import sys


def main() -> None:
    """Run the command line and leave with its exit code."""
    signal.signal(signal.SIGTERM, _terminated)
    # NumPy's products are of small matrices here: shared among threads they cost twice the work and win nothing.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from cleanaudio.cli.app import main as run

    sys.exit(run())


def _terminated(*_: object) -> None:
    raise SystemExit(143)  # unwinds what is under way, which removes its temporaries


if __name__ == "__main__":
    main()
