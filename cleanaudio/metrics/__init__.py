"""Measures of quality, one a file, behind one interface.

``score`` measures one recording, ``registry`` knows the metrics by name, ``interface`` is what each of them promises.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cleanaudio.metrics.interface import Measured, Metric, NotMeasurable, Signals
    from cleanaudio.metrics.score import line_up, score

__all__ = ["Measured", "Metric", "NotMeasurable", "Signals", "line_up", "score"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    module = "interface" if name[0].isupper() else "score"
    return getattr(import_module(f"{__name__}.{module}"), name)
