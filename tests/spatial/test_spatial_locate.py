import numpy as np
import pytest

from cleanaudio.errors import InputError, RecipeError
from cleanaudio.spatial.covariance import weighted_sum
from cleanaudio.spatial.doa import Grid, music, srp_phat
from cleanaudio.spatial.geometry import circular, linear, steering
from cleanaudio.spatial.locate import Bearing, Locator, locating_stft, main_direction
from cleanaudio.spatial.masks import EnhancerMask


def _table(locator, signal, block=3000):
    found = [b for k in range(0, signal.shape[1], block) for b in locator.process(signal[:, k : k + block])]
    return found + locator.flush()


@pytest.mark.parametrize("method", ["srp-phat", "music"])
@pytest.mark.parametrize("azimuth", [-151, 0, 37, 90])
def test_a_plane_wave_is_found(method, azimuth, wave):
    noise = np.random.default_rng(0).standard_normal(16000) * 0.1
    signal = wave(circular(6, 0.0463), azimuth, noise)
    table = _table(Locator(16000, 6, circular(6, 0.0463), 343.0, method), signal)
    assert len(table) == 2
    for bearing in table:
        assert abs(bearing.azimuth_deg - azimuth) <= 1.0
        assert bearing.score == pytest.approx(1.0, abs=0.05)
    found, elevation, share = main_direction(table)
    assert abs(found - azimuth) <= 1 and elevation == 0 and share == 1


def test_elevation_is_found(wave):
    geometry = circular(6, 0.1)
    tilted = geometry.delays(np.array([np.cos(np.radians(40)), 0, np.sin(np.radians(40))]), 343.0)
    noise = np.random.default_rng(1).standard_normal(16000)
    hertz = np.fft.rfftfreq(16000, 1 / 16000)
    signal = np.fft.irfft(np.fft.rfft(noise) * np.exp(-2j * np.pi * hertz * tilted[:, None])).astype(np.float32)
    locator = Locator(16000, 6, geometry, 343.0, step_deg=5, elevations=True)
    assert all((b.azimuth_deg, b.elevation_deg) == (0, 40) for b in _table(locator, signal))


@pytest.mark.parametrize("method", ["SRP", "MUSIC"])
def test_agrees_with_pyroomacoustics(method, wave, speech_like):
    import pyroomacoustics as pra

    geometry = circular(6, 0.0463)
    rng = np.random.default_rng(2)
    signal = wave(geometry, 75, speech_like(2.0, 16000, 2)) + 0.4 * wave(
        geometry, -20, 0.1 * rng.standard_normal(32000)
    )
    size = 512
    spectra = np.stack([pra.transform.stft.analysis(x, size, size // 2, win=np.hanning(size)) for x in signal])
    low, high = 10, 120
    theirs = getattr(pra.doa, method)(
        geometry.positions.T, 16000, size, c=343.0, azimuth=np.radians(np.arange(-180.0, 180.0)), num_src=1
    )
    theirs.locate_sources(spectra.transpose(0, 2, 1), freq_bins=np.arange(low, high))
    grid = Grid(geometry)
    tables = steering(geometry.delays(grid.towards, 343.0), np.arange(low, high) * 16000 / size)
    score = {"SRP": srp_phat, "MUSIC": music}[method](weighted_sum(spectra[:, :, low:high]), tables)
    ours = grid.azimuth_deg[np.argmax(score)]
    assert abs(ours - np.degrees(theirs.azimuth_recon[0])) <= 2


def test_the_voice_is_located_where_a_mask_says_so(scene, known):
    table = _table(Locator(16000, 4, scene["geometry"], 343.0), scene["mixture"])
    size, hop = locating_stft(16000)
    mask = EnhancerMask(known(scene["voice"]), size, hop, range(4), exponent=8)
    guided = _table(Locator(16000, 4, scene["geometry"], 343.0, masks=mask), scene["mixture"])
    assert abs(main_direction(table)[0] - 60) > 90  # the noise is what is heard everywhere else
    assert abs(main_direction(guided)[0] - 60) <= 6


def test_a_linear_array_is_searched_on_one_side():
    grid = Grid(linear(4, 0.05), 1.0)
    assert grid.azimuth_deg.min() == 0 and grid.azimuth_deg.max() == 180


def test_a_short_clip_gives_one_direction(wave):
    signal = wave(circular(4, 0.05), 45, np.random.default_rng(0).standard_normal(2000) * 0.1)
    assert [abs(b.azimuth_deg - 45) <= 2 for b in _table(Locator(16000, 4, circular(4, 0.05), 343.0), signal)] == [True]


def test_silence_comes_from_nowhere():
    assert _table(Locator(16000, 4, circular(4, 0.05), 343.0), np.zeros((4, 16000), np.float32)) == []
    assert main_direction([]) is None


def test_the_majority_decides():
    table = [Bearing(k, 179.0 if k % 2 else -179.0, 0, 0.9, -20) for k in range(10)]
    table += [Bearing(9, 0.0, 0, 0.9, -20), Bearing(10, 90.0, 0, 0.9, -60)]
    azimuth, _, share = main_direction(table)
    assert abs(abs(azimuth) - 180) < 1 and share == pytest.approx(10 / 11)


def test_bad_input():
    with pytest.raises(InputError, match="3 channels"):
        Locator(16000, 3, circular(4, 0.05))
    with pytest.raises(RecipeError, match="esprit"):
        Locator(16000, 4, circular(4, 0.05), 343.0, "esprit")
    with pytest.raises(RecipeError):
        Locator(16000, 4, circular(4, 0.05), 343.0, window_s=0)
    with pytest.raises(InputError, match="shape"):
        Locator(16000, 4, circular(4, 0.05)).process(np.zeros((100, 4), np.float32))
