"""``python -m cleanaudio`` and the ``cleanaudio`` command."""

import io
import os
import signal
import sys

from cleanaudio.batch.stop import send_again  # imports no more than this module does


def main() -> None:
    """Run the command line and leave with its exit code."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup has it
            signal.signal(number, _terminated)
    sys.unraisablehook = _again
    _open_standard_streams()
    if "--debug" not in sys.argv:
        _silence_libraries()
    # NumPy's products are of small matrices here: shared among threads they cost twice the work and win nothing.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        from cleanaudio.cli.app import main as run

        code = run()
    except KeyboardInterrupt:  # while modules were being loaded
        code = 128 + signal.SIGINT
    # CPython ends as if killed once KeyboardInterrupt broke into exec'd code, as that of a dataclass is; another exec
    # clears that mark.
    exec("")
    sys.exit(code)


def _terminated(number: int, _frame: object) -> None:
    raise SystemExit(128 + number)  # unwinds what is under way, which removes its temporaries


def _again(lost) -> None:  # sys.UnraisableHookArgs, which only type checkers can import
    """Send a signal again whose exception Python swallowed, because it was raised inside a callback of an import."""
    if issubclass(lost.exc_type, KeyboardInterrupt):
        number = int(signal.SIGINT)
    elif getattr(lost.exc_value, "code", None) in (128 + signal.SIGTERM, 128 + signal.SIGHUP):  # of _terminated
        number = lost.exc_value.code - 128
    else:
        sys.__unraisablehook__(lost)
        return
    send_again(number)


def _open_standard_streams() -> None:
    """Open /dev/null for closed standard streams, so that no file gets their numbers; others take any character."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            os.dup2(os.open(os.devnull, os.O_RDWR), number)
            if number:  # who reads asks whether there is a stdin
                setattr(sys, name, os.fdopen(number, "w", encoding="utf-8", closefd=False))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and (stream.errors == "strict" or stream.encoding.lower() != "utf-8"):
            stream.reconfigure(errors="backslashreplace")  # a locale of few characters is no reason to fail


def _silence_libraries() -> None:
    """Keep stderr to ourselves.

    Decoders and sound systems in C write what they think of a file or a card straight into it, without a name; what
    matters of that comes as an error or a note.
    """
    encoding, errors = sys.stderr.encoding, sys.stderr.errors
    sys.stderr = io.TextIOWrapper(io.FileIO(os.dup(2), "w"), encoding, errors, write_through=True)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)


if __name__ == "__main__":
    main()
