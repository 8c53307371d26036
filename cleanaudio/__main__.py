"""``python -m cleanaudio`` and the ``cleanaudio`` command."""

import os
import signal
import sys


def main() -> None:
    """Run the command line and leave with its exit code."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup has it
            signal.signal(number, _terminated)
    _open_standard_streams()
    # NumPy's products are of small matrices here: shared among threads they cost twice the work and win nothing.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from cleanaudio.cli.app import main as run

    sys.exit(run())


def _terminated(number: int, _frame: object) -> None:
    raise SystemExit(128 + number)  # unwinds what is under way, which removes its temporaries


def _open_standard_streams() -> None:
    """Put nothing in the place of standard streams that are closed, so that no file of ours gets their numbers."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            os.dup2(os.open(os.devnull, os.O_RDWR), number)
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))


if __name__ == "__main__":
    main()
