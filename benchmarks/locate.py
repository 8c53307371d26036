"""Localisation: how often `locate` finds the voice between two noises, and how far it is off.

    python -m benchmarks.locate [--rooms 20] [--quick]

The simulated rooms of `benchmarks.arrays` (T60 0.2–0.6 s, two noises 0–10 dB below the voice together, three arrays in
turn), of a seed that nothing was tuned on. The first heading of all windows of a second against where the voice is.
"""

from __future__ import annotations

import argparse
import os
from statistics import median

from benchmarks.common import ONE_THREAD, markdown

os.environ.update(ONE_THREAD)

SEED = 411
WITHIN_DEG = (10.0, 20.0)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rooms", type=int, default=20)
    parser.add_argument("--quick", action="store_true", help="five rooms")
    arguments = parser.parse_args()
    import numpy as np

    from benchmarks.array_rooms import RATE, simulated
    from cleanaudio.batch.masking import Masking, decide
    from cleanaudio.spatial.doa import turned
    from cleanaudio.spatial.locate import Locator, headings, locating_stft

    count = 5 if arguments.quick else arguments.rooms
    scenes, rows = list(simulated(count, SEED)), []
    neural, _ = decide("auto")
    for method in ("srp-phat", "music"):
        for spec in dict.fromkeys((None, "vad", neural)):
            errors = []
            for scene in scenes:
                signal, channels = scene.mixture, len(scene.mixture)
                masks = None
                if spec is not None:
                    masks = Masking(spec).open(RATE, channels, locating_stft(RATE), lambda signal=signal: [signal])
                locator = Locator(RATE, channels, scene.array, 343.0, method, masks, window_s=1.0)
                found = headings([*locator.process(signal), *locator.flush()])
                errors.append(abs(float(turned(np.array(found[0].azimuth_deg - scene.azimuth)))) if found else 180.0)
            near = [f"{sum(error <= limit for error in errors)} of {count}" for limit in WITHIN_DEG]
            rows.append([method, spec or "none", *near, median(errors)])
    markdown(f"Localisation, {count} rooms", ("method", "mask", "within 10°", "within 20°", "median error, °"), rows)


if __name__ == "__main__":
    main()
