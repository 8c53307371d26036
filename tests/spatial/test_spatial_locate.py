import numpy as np
import pytest

from cleanaudio.errors import InputError, RecipeError
from cleanaudio.spatial.covariance import weighted_sum
from cleanaudio.spatial.doa import Grid, mirror_axis, music, srp_phat, turned
from cleanaudio.spatial.geometry import Geometry, circular, linear, steering, unit_vectors
from cleanaudio.spatial.locate import Bearing, Locator, headings, locating_stft
from cleanaudio.spatial.masks import EnhancerMask


def _table(locator, signal, block=3000):
    found = [b for k in range(0, signal.shape[1], block) for b in locator.process(signal[:, k : k + block])]
    return found + locator.flush()


@pytest.mark.parametrize("method", ["srp-phat", "music"])
@pytest.mark.parametrize("azimuth", [-151, 0, 37, 90])
def test_a_plane_wave_is_found(method, azimuth, wave):
    noise = np.random.default_rng(0).standard_normal(16000) * 0.1
    signal = wave(circular(6, 0.0463), azimuth, noise)
    table = _table(Locator(16000, 6, circular(6, 0.0463), 343.0, method, window_s=0.5), signal)
    assert len(table) == 3
    for bearing in table:
        assert abs(bearing.azimuth_deg - azimuth) <= 1.0
        assert bearing.score == pytest.approx(1.0, abs=0.05)
    (found,) = headings(table)
    assert abs(found.azimuth_deg - azimuth) <= 1 and found.elevation_deg == 0 and found.share == pytest.approx(1)


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
    mask = EnhancerMask(known(scene["voice"]), size, hop, range(4))
    guided = _table(Locator(16000, 4, scene["geometry"], 343.0, masks=mask), scene["mixture"])
    assert abs(headings(table)[0].azimuth_deg - 60) > 90  # the noise is what is heard everywhere else
    assert abs(headings(guided)[0].azimuth_deg - 60) <= 6


def test_a_linear_array_is_searched_on_one_side():
    grid = Grid(linear(4, 0.05), 1.0)
    assert grid.azimuth_deg.min() == 0 and grid.azimuth_deg.max() == 180
    assert mirror_axis(linear(4, 0.05)) == 0 and mirror_axis(circular(4, 0.05)) is None


@pytest.mark.parametrize("axis", [0.0, 30.0, 90.0, 135.0])
@pytest.mark.parametrize("upright", [False, True])
def test_front_and_back_sound_alike(axis, upright):
    """Directions that are each other's mirror image give the same delays, and only one of them is searched."""
    along = np.array([np.cos(np.radians(axis)), np.sin(np.radians(axis)), 0.0])
    positions = np.outer([0.0, -0.05, 0.1, 0.2], along)
    if upright:
        positions += np.outer([0.0, 0.1, 0.03, 0.0], [0, 0, 1])
    geometry = Geometry(positions)
    found = mirror_axis(geometry)
    assert found == pytest.approx(axis)
    grid = Grid(geometry, 5.0)
    assert len(grid.azimuth_deg) == 37
    front, back = grid.towards, unit_vectors(turned(2 * found - grid.azimuth_deg), grid.elevation_deg)
    np.testing.assert_allclose(geometry.delays(front, 343.0), geometry.delays(back, 343.0), atol=1e-9)
    every = Grid(circular(5, 0.1), 5.0).towards
    assert all(np.min(np.linalg.norm(np.concatenate([front, back]) - one, axis=1)) < 1e-6 for one in every)


def test_what_an_array_cannot_tell_is_refused():
    with pytest.raises(RecipeError, match="one above the other"):
        Grid(Geometry(np.outer([0.0, 0.1, 0.3], [0, 0, 1])))
    with pytest.raises(RecipeError, match="no elevation"):
        Grid(linear(4, 0.05), elevations=True)
    with pytest.raises(RecipeError, match="too many"):
        Grid(circular(4, 0.05), 1.0, elevations=True)


def test_a_short_clip_gives_one_direction(wave):
    signal = wave(circular(4, 0.05), 45, np.random.default_rng(0).standard_normal(2000) * 0.1)
    assert [abs(b.azimuth_deg - 45) <= 2 for b in _table(Locator(16000, 4, circular(4, 0.05), 343.0), signal)] == [True]


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(
    ("seconds", "middles"), [(0.2, [0.1]), (0.45, [0.225]), (0.8, [0.4]), (1.5, [0.5, 1.0]), (1.8, [0.5, 1.0, 1.4])]
)
def test_time_and_level_of_clips_of_any_length(seconds, middles, masked, known):
    noise = 0.1 * np.random.default_rng(0).standard_normal((1, round(seconds * 16000))).astype(np.float32)
    signal = np.repeat(noise, 4, axis=0)
    mask = EnhancerMask(known(signal), *locating_stft(16000), range(4)) if masked else None
    table = _table(Locator(16000, 4, circular(4, 0.05), masks=mask, window_s=1.0), signal)
    assert [b.time_s for b in table] == pytest.approx(middles, abs=0.02)
    in_band = -20 + 10 * np.log10((4000 - 300) / 8000)
    assert [b.level_db for b in table] == pytest.approx(len(table) * [in_band], abs=1.0)


@pytest.mark.parametrize("masked", [False, True])
def test_who_speaks_at_the_end_only_is_found(masked, wave, known):
    noise = 0.1 * np.random.default_rng(0).standard_normal(16000)
    voices = [wave(circular(4, 0.05), 20, noise), wave(circular(4, 0.05), 120, 3 * noise[:4000])]
    signal = np.concatenate(voices, axis=1)
    mask = EnhancerMask(known(signal), *locating_stft(16000), range(4)) if masked else None
    *before, last = _table(Locator(16000, 4, circular(4, 0.05), 343.0, masks=mask, window_s=0.5), signal)
    assert abs(last.azimuth_deg - 120) <= 2 and all(abs(b.azimuth_deg - 20) <= 2 for b in before)


def test_a_click_is_heard_when_it_sounds():
    """Its windows, weighted by how much of it they hear, lie around it; where it falls on the grid evens out."""
    hop = locating_stft(16000)[1]
    late = []
    for start in range(16000, 16000 + 3 * hop, hop // 8):  # half a window is three hops
        signal = np.zeros((2, 24000), np.float32)
        signal[:, start] = 1
        table = _table(Locator(16000, 2, linear(2, 0.1), window_s=0.1, step_deg=30), signal)
        heard = [10 ** (b.level_db / 10) for b in table]
        late.append(np.average([b.time_s for b in table], weights=heard) - start / 16000)
    assert np.mean(late) == pytest.approx(0, abs=hop / 16000 / 8)


def test_silence_comes_from_nowhere():
    assert _table(Locator(16000, 4, circular(4, 0.05), 343.0), np.zeros((4, 16000), np.float32)) == []
    assert headings([]) == []


def test_the_majority_decides():
    table = [Bearing(k, 179.0 if k % 2 else -179.0, 0, 0.9, -20) for k in range(10)]
    table += [Bearing(9, 0.0, 0, 0.9, -20), Bearing(10, 90.0, 0, 0.9, -60)]
    (most,) = headings(table)  # a share of 1 / 11 is no direction
    assert abs(abs(most.azimuth_deg) - 180) < 1 and most.share == pytest.approx(10 / 11)
    most, least = headings([*table, Bearing(11, 0.0, 0, 0.9, -20)])
    assert abs(abs(most.azimuth_deg) - 180) < 1 and most.share == pytest.approx(10 / 12)
    assert (least.azimuth_deg, least.share) == (0, pytest.approx(2 / 12))


def test_what_a_mask_leaves_of_pauses_has_no_say():
    table = [Bearing(k, 60.0, 0, 0.9, -45 - k % 10) for k in range(20)]
    table += [Bearing(20 + k, -120.0, 0, 0.9, -105 + k % 5) for k in range(40)]
    (only,) = headings(table)
    assert only.azimuth_deg == pytest.approx(60) and only.share == 1


def test_bad_input():
    with pytest.raises(InputError, match="3 channels"):
        Locator(16000, 3, circular(4, 0.05))
    with pytest.raises(RecipeError, match="esprit"):
        Locator(16000, 4, circular(4, 0.05), 343.0, "esprit")
    with pytest.raises(RecipeError):
        Locator(16000, 4, circular(4, 0.05), 343.0, window_s=0)
    with pytest.raises(InputError, match="shape"):
        Locator(16000, 4, circular(4, 0.05)).process(np.zeros((100, 4), np.float32))
