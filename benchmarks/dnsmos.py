"""DNSMOS against the package that carries its networks, in one process, warm: at least 1.2 times faster per file.

Recordings of 2 to 11 s and one of a minute, all of the synthetic voice; the better of two runs each, in turn.

    python -m benchmarks.dnsmos [--quick]
"""

from __future__ import annotations

import argparse
from functools import partial

from benchmarks.common import best_of, markdown, noisy_voice


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--quick", action="store_true", help="three recordings only")
    lengths = (2, 5, 10) if arguments.parse_args().quick else (*range(2, 12), 60)
    from speechmos import dnsmos as package

    from cleanaudio.metrics import dnsmos

    rows, totals = [], [0.0, 0.0]
    for seconds in lengths:
        signal = noisy_voice(seconds, 16000)[0]
        if not rows:
            package.run(signal, 16000), dnsmos.mos(signal)
        found = best_of(2, {"theirs": partial(package.run, signal, 16000), "ours": partial(dnsmos.mos, signal)})
        totals = [total + spent for total, spent in zip(totals, found.values(), strict=True)]
        rows.append([f"{seconds} s", *found.values(), found["theirs"] / found["ours"]])
    rows.append(["together", *totals, totals[0] / totals[1]])
    markdown("DNSMOS, seconds per recording", ["recording", "speechmos", "cleanaudio", "times faster"], rows)


if __name__ == "__main__":
    main()
