"""The artifact score on what real methods leave behind: musical noise is heard, good cleaning is not blamed."""

import numpy as np
import pytest

import cleanaudio


@pytest.fixture(scope="module")
def takes(speech_like, noise_like):
    """Clean and noisy signals: a voice over white noise."""
    clean = np.concatenate([np.zeros(8000, np.float32), speech_like(5.0, 16000)])
    return clean, (clean + 0.03 * noise_like(len(clean) / 16000, 16000, "white")).astype(np.float32)


def artifacts(enhanced, noisy=None):
    return cleanaudio.score(enhanced, 16000, noisy=noisy, metrics=["artifacts"])["artifacts"]


@pytest.mark.parametrize("with_noisy", [True, False])
def test_bare_spectral_subtraction_sounds_more_musical_than_omlsa(takes, with_noisy):
    _, noisy = takes
    bare = {"domain": "magnitude", "alpha": 1.0, "beta": 0.0, "limit_db": 100.0}
    subtracted = cleanaudio.clean(noisy, 16000, "spectral-subtraction", options=bare)
    estimated = cleanaudio.clean(noisy, 16000, "omlsa")
    partner = noisy if with_noisy else None
    assert artifacts(subtracted, partner) > artifacts(estimated, partner) + 0.2


def test_clean_speech_has_hardly_any(takes):
    clean, noisy = takes
    assert artifacts(clean) < 0.15
    assert artifacts(clean, noisy) < 0.15
