"""What to do about a recording, in plain words: only what this version of cleanaudio can do is recommended."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cleanaudio.audio.encodings import FLOAT_SUBTYPES
from cleanaudio.metrics.dnsmos import CLEAN_BAK
from cleanaudio.metrics.inspect.wiring import name
from cleanaudio.report.inspection import Inspection

HUM_ABOVE_DB, HUM_DBFS = 15.0, -70.0
"""Hum that stands out so far and is so loud is worth a word: below, low voices and engines are taken for it too."""
OFFSET = 0.005
CLIPPED = 1e-4
OVER_DBTP = 0.5
"""Decoders of lossy files and resamplers go a little over full scale as a matter of course."""
NARROW_SHARE, NARROW_HZ = 0.75, 12000.0
"""Less than this share of half the rate, and than this, is a bandwidth worth a word: above, only music misses much."""
RINGING_S = 0.8
FEWEST_MICROPHONES = 3
"""Two channels are stereo as a rule, more may be an array."""
LITTLE_SPEECH = 0.1
MILD_BAK = 3.3
CLEAN_SNR_DB, MILD_SNR_DB, NOISY_SNR_DB = 35.0, 25.0, 15.0
LOW_DEPTH, LOW_PEAK_DBFS = 16, -30.0
NO_FAULT = frozenset({"copy", "apart", "array", "quiet", "lossy", "bandwidth"})
"""What a recording may be and yet be called clean."""


@dataclass(frozen=True)
class Advice:
    """One recommendation.

    Parameters
    ----------
    kind : str
        For programs: ``inverted``, ``hum``, ``clean`` …
    finding : str
        What there is.
    advice : str
        What it means and what to do.
    """

    kind: str
    finding: str
    advice: str

    def __str__(self) -> str:
        return f"{self.finding}: {self.advice}"


def advise(found: Inspection) -> tuple[Advice, ...]:
    """Return what to do about a recording, faults of the recording first, the noise last.

    Parameters
    ----------
    found : Inspection
    """
    if found.silent:
        return (Advice("silent", "digital silence", "there is nothing to clean; look at the device or the export"),)
    first = (*_channels(found), *_samples(found), *_spectrum(found), *_room(found))
    sound = all(one.kind in NO_FAULT for one in first)
    return (*first, *(one for one in _noise(found) if sound or one.kind != "clean"))


def _channels(found: Inspection) -> Iterator[Advice]:
    for fault in found.wiring:
        who = name(fault.channel, fault.channels)
        if fault.kind == "dead":
            yield Advice(
                "dead",
                f"{who} is dead",
                "look at the cable or the device; cleaning goes by the working channels",
            )
        elif fault.kind == "copy":
            yield Advice("copy", str(fault), "one channel holds all that there is")
        else:
            yield Advice(
                "inverted",
                f"{who} is inverted",
                "mixed to mono the voice would vanish; turn the channel over in an editor. cleanaudio denoise "
                "--channels linked, the default for stereo, hears the voice all the same and leaves it inverted",
            )
    sides = found.sides
    if sides is not None and sides.apart:
        yield Advice(
            "apart",
            "each side has a voice of its own",
            "where they are two people's microphones, cleanaudio denoise --channels independent cleans each by itself",
        )
    elif sides is not None and sides.uneven:
        noisier = name(int(sides.uneven_db > 0), 2)
        yield Advice(
            "uneven",
            f"{noisier} has {abs(sides.uneven_db):.0f} dB more noise",
            "cleanaudio denoise --channels independent spares the better side; that one alone may be all you need",
        )
    silenced = {fault.channel for fault in found.wiring if fault.kind in ("dead", "copy")}
    left = found.info.channels - len(silenced)
    if left >= FEWEST_MICROPHONES:
        yield Advice(
            "array",
            f"{left} channels of sound",
            "where they are microphones in one room, cleanaudio beamform makes one voice out of them",
        )


def _samples(found: Inspection) -> Iterator[Advice]:
    if found.not_numbers:
        yield Advice(
            "not-numbers",
            "1 sample is no number" if found.not_numbers == 1 else f"{found.not_numbers} samples are not numbers",
            "a program has written it wrongly, export it again; cleanaudio takes them as zero",
        )
    floating = found.info.subtype in FLOAT_SUBTYPES
    peak, clipped, offset = found.value("true_peak"), found.value("clipping_ratio"), found.value("offset")
    if floating and peak is not None and peak > 0:
        yield Advice(
            "over",
            f"peaks {peak:.1f} dB over full scale",
            "nothing is lost yet; for an integer format cleanaudio denoise --clip-mode rescale keeps their shape, "
            "--clip-mode limit their level",
        )
    elif clipped is not None and clipped > CLIPPED:
        yield Advice(
            "clipping",
            f"{100 * clipped:.2g} % of the samples are clipped",
            "what was cut off does not come back by cleaning; record it again with less gain where you can",
        )
    elif peak is not None and peak > OVER_DBTP:
        yield Advice(
            "over",
            f"peaks {peak:.1f} dB over full scale between the samples",
            "players may clip there; turn it down a little before publishing",
        )
    if offset is not None and offset > OFFSET:
        yield Advice(
            "offset",
            f"constant offset of {100 * offset:.2g} % of full scale",
            "cleanaudio denoise takes it away, with any network (-b auto); -b wiener --limit-db 40 leaves a hundredth",
        )
    depth, sample_peak = found.info.depth, found.value("peak")
    if depth is not None and depth <= LOW_DEPTH and sample_peak is not None and sample_peak < LOW_PEAK_DBFS:
        yield Advice(
            "quiet",
            f"very quiet, peak {sample_peak:.0f} dBFS in {depth} bits",
            "cleanaudio denoise --subtype PCM_24 writes it finely enough to be turned up afterwards",
        )
    if found.info.lossy:
        yield Advice(
            "lossy",
            f"lossy encoding ({found.info.subtype.lower()})",
            "each encoding loses more; cleanaudio denoise --format flac keeps the result as it is",
        )


def _spectrum(found: Inspection) -> Iterator[Advice]:
    top, rate = found.value("bandwidth_hz"), found.info.rate
    if top is not None and top < min(NARROW_SHARE * rate / 2, NARROW_HZ):
        yield Advice(
            "bandwidth",
            f"{top / 1000:.3g} kHz bandwidth at a rate of {rate} Hz",
            f"it went through a telephone, a codec or a lower rate; cleaning does not bring back what is above "
            f"{top / 1000:.3g} kHz, so look for a better copy",
        )
    hum = found.hum
    if hum is not None and hum.above_db >= HUM_ABOVE_DB and hum.level_dbfs > HUM_DBFS:
        yield Advice(
            "hum",
            f"hum at {hum.base_hz} Hz, {hum.above_db:.0f} dB above the noise, {hum.level_dbfs:.0f} dBFS in all",
            "cleanaudio denoise -b wiener --limit-db 40 takes it down by 30 dB and more, the default backend too; "
            "next time look at cables and power supplies",
        )


def _room(found: Inspection) -> Iterator[Advice]:
    ringing = found.value("reverberation_s")
    if ringing is not None and ringing >= RINGING_S:
        yield Advice(
            "room",
            f"the room rings for about {ringing:.1f} s",
            "cleanaudio denoise --dereverb 0.7 takes some of that away; next time go closer to the microphone",
        )


def _noise(found: Inspection) -> Iterator[Advice]:
    bak, snr, speech = found.value("dnsmos_bak"), found.value("snr"), found.value("speech_ratio")
    if speech is not None and speech < LITTLE_SPEECH:
        yield Advice(
            "no-speech",
            f"{100 * speech:.0f} % speech",
            "cleanaudio is made for speech and may take music and sounds for noise: leave it, or listen to what goes "
            "with cleanaudio denoise --residual",
        )
    elif (bak is not None and bak >= CLEAN_BAK) or (bak is None and snr is not None and snr >= CLEAN_SNR_DB):
        yield Advice("clean", "already clean", "leave it")
    elif bak is not None and bak < MILD_BAK and snr is not None and snr >= CLEAN_SNR_DB:
        yield Advice(
            "background",
            f"quiet pauses, but a poor background (DNSMOS {bak:.1f})",
            "it may be music, an echo or what an earlier cleaning left; try cleanaudio denoise --guard, and listen",
        )
    elif bak is not None or snr is not None:
        quality = f"DNSMOS background {bak:.1f}" if bak is not None else ""
        ratio = f"{snr:.0f} dB SNR" if snr is not None else ""
        said = " and ".join(filter(None, (ratio, quality)))
        if bak >= MILD_BAK if bak is not None else snr is not None and snr >= MILD_SNR_DB:
            yield Advice("mild", f"a little noise, {said}", "cleanaudio denoise --preset gentle takes the edge off it")
        elif snr is not None and snr < NOISY_SNR_DB:
            yield Advice(
                "noise",
                f"loud noise, {said}",
                "cleanaudio denoise removes most of it; --guard takes cleaning back where it would harm the voice",
            )
        else:
            yield Advice("noise", f"noise, {said}", "cleanaudio denoise removes most of it")
