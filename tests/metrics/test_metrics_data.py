"""Metrics on real recordings: the means that another script measured with the reference implementations."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

from cleanaudio.metrics.score import score

pytestmark = pytest.mark.data
