"""Exit codes. Where several hold: 2, then 129, 130 or 143, then 1, then 3."""

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of the program."""

    DONE = 0
    SOME_FAILED = 1
    USAGE = 2
    GATE_FAILED = 3
    NOTHING_MATCHED = 4
    HUNG_UP = 129
    INTERRUPTED = 130
    TERMINATED = 143
