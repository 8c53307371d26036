"""One layer of an LSTM (Hochreiter & Schmidhuber 1997) in numpy, for small networks whose weights packages bring."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def lstm(
    signal: Floats, inward: Floats, onward: Floats, bias: Floats, state: tuple[Floats, Floats] | None = None
) -> tuple[Floats, tuple[Floats, Floats]]:
    """Run the layer over a batch of signals.

    Parameters
    ----------
    signal : ndarray, shape (frames, batch, features)
    inward, onward : ndarray, shape (features, 4 * units) and (units, 4 * units)
        From the signal and from the frame before; gates in PyTorch's order: input, forget, cell, output.
    bias : ndarray, shape (4 * units,)
        The sum of both.
    state : (ndarray, ndarray), shape (batch, units) each, optional
        Hidden and cell before the first frame; default: zeros.

    Returns
    -------
    (ndarray, (ndarray, ndarray))
        What it puts out, (frames, batch, units), and the state behind the last frame.
    """
    units = len(onward)
    nothing = np.zeros((signal.shape[1], units), np.float32)
    hidden, cell = state or (nothing, nothing)
    out = np.empty((len(signal), *nothing.shape), np.float32)
    for frame, drive in enumerate(signal @ inward + bias):
        gates = drive + hidden @ onward
        take, keep, _, give = np.split(sigmoid(gates), 4, axis=1)
        cell = keep * cell + take * np.tanh(gates[:, 2 * units : 3 * units])
        out[frame] = hidden = give * np.tanh(cell)
    return out, (hidden, cell)


def sigmoid(x: Floats) -> Floats:
    """Return 1 / (1 + exp(-x)), which does not overflow."""
    return np.float32(0.5) * (1 + np.tanh(np.float32(0.5) * x))
