"""One recording through the study: mixed at every SNR, cleaned by every backend, heard, recognised, measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import cleanaudio
from cleanaudio.audio.choices import Level
from cleanaudio.audio.files import open_reader
from cleanaudio.audio.mixing import SilentNoiseError, balance, generator
from cleanaudio.audio.noise_bed import NoiseBed, draw_place
from cleanaudio.audio.whole import read_whole
from cleanaudio.errors import CleanAudioError, InputError
from cleanaudio.impact.asr import RecogniserError, recogniser
from cleanaudio.impact.speaker import EncoderUnavailable, similarity
from cleanaudio.impact.words import WordErrors, plain, word_errors
from cleanaudio.metrics.interface import Measured, NotMeasurable, Signals
from cleanaudio.metrics.score import score

Audio = NDArray[np.float32]

CLEAN, NOISY = "clean", "noisy"
SNRS_DB = (-5.0, 0.0, 5.0, 10.0, 15.0, 20.0)
METRICS = ("snr", "pesq_wb", "stoi")
SIMILARITY = "similarity"
_ASR_RATE = 16000
_DRAWS = 8


LEFT_S, LEFT_SHARE = 0.5, 0.1
"""By how much a recording may be longer than a manifest says: durations are rounded, and counted without padding."""


@dataclass(frozen=True)
class Utterance:
    """A clean recording and what is said in it.

    Parameters
    ----------
    path : Path
    label : str
        How the user calls it.
    key : str
        What its random numbers belong to.
    text : str
        With at least one word.
    seconds : float or None
        How long the recording is that has this text, as far as is known.
    """

    path: Path
    label: str
    key: str
    text: str
    seconds: float | None = None


@dataclass(frozen=True)
class Study:
    """What is done with every recording.

    Parameters
    ----------
    noise : tuple of (Path, str)
        Recordings of noise, and how the user calls them; one is drawn for each utterance.
    backends : tuple of str
        Specs, ``auto`` decided.
    snrs_db : tuple of float
    seed : int
    level : {"active", "power"}
    asr_command : str or None
        See :func:`cleanaudio.impact.asr.recogniser`.
    """

    noise: tuple[tuple[Path, str], ...]
    backends: tuple[str, ...]
    snrs_db: tuple[float, ...] = SNRS_DB
    seed: int = 0
    level: Level = "active"
    asr_command: str | None = None


@dataclass(frozen=True)
class Finding:
    """One version of one recording.

    Parameters
    ----------
    audio : str
        The clean recording.
    system : str
        ``clean``, ``noisy`` or a backend.
    snr_db : float or None
        What it was mixed at; None for ``clean``.
    noise : str or None
    said, heard : str
    words : WordErrors or None
        None where there is an ``error``.
    measured : mapping
        ``similarity`` to the clean voice, and numbers against the clean recording.
    notes : tuple of str
    error : str or None
        Why this version could not be made or recognised.
    """

    audio: str
    system: str
    snr_db: float | None
    noise: str | None
    said: str
    heard: str = ""
    words: WordErrors | None = None
    measured: Mapping[str, Measured] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    error: str | None = None

    @property
    def status(self) -> str:
        """``done`` or ``failed``."""
        return "failed" if self.error else "done"


def run_study(study: Study, utterance: Utterance, threads: int = 1) -> list[Finding]:
    """Take one recording through the study.

    Parameters
    ----------
    study : Study
    utterance : Utterance
    threads : int
        Threads that a backend's model may use.

    Returns
    -------
    list of Finding
        The clean recording first, then by SNR the noisy one and what each backend made of it. A backend or a
        recogniser that breaks down over one version is that version's error.

    Raises
    ------
    CleanAudioError
        Nothing can be found out: the recording or its noise cannot be read, is silent, or nothing is recognised in the
        clean recording; or the text is that of a part of it.
    """
    speech, rate = read_whole(utterance.path)
    left_s = 0.0 if utterance.seconds is None else speech.shape[1] / rate - utterance.seconds
    if left_s > max(LEFT_S, LEFT_SHARE * speech.shape[1] / rate):
        raise _in_parts(utterance.label)
    ears = _Ears(study, utterance, speech, rate)
    first = ears.judge(Finding(utterance.label, CLEAN, None, None, utterance.text), speech, speech)
    if not plain(first.heard):
        raise RecogniserError("the recogniser gave no words for the clean recording", path=utterance.label)
    found = [first]
    noise, label = _noise(study, utterance, speech, rate)
    for snr_db in study.snrs_db:
        mix = balance(lambda: [(speech, noise)], rate, len(speech), snr_db, study.level)
        noisy, reference = mix.mix(speech, noise), np.float32(mix.scale) * speech
        notes = (mix.note,) if mix.note else ()
        for system in (NOISY, *study.backends):
            blank = Finding(utterance.label, system, snr_db, label, utterance.text, notes=notes)
            try:
                cleaned = noisy if system == NOISY else cleanaudio.clean(noisy, rate, system, threads=threads)
                found.append(ears.judge(blank, cleaned, reference))
            except CleanAudioError as error:
                found.append(replace(blank, error=error.describe()))
    return found


@dataclass(frozen=True)
class _Ears:
    """Who listens to the versions of one recording."""

    study: Study
    utterance: Utterance
    speech: Audio
    rate: int

    def judge(self, blank: Finding, version: Audio, reference: Audio) -> Finding:
        """Return what was recognised and measured."""
        heard = recogniser(self.study.asr_command)(_mono(version, self.rate))
        notes = blank.notes if heard else (*blank.notes, "the recogniser gave no words")
        measured: dict[str, Measured] = {SIMILARITY: self._similarity(version)}
        if version is not reference:
            measured |= score(version, self.rate, reference=reference, metrics=METRICS, align=False)
        words = word_errors(self.utterance.text, heard)
        return replace(blank, heard=heard, words=words, measured=measured, notes=notes)

    def _similarity(self, version: Audio) -> Measured:
        if not version.any():
            return NotMeasurable("silent")
        try:
            return similarity(*(_mono(audio, self.rate) for audio in (self.speech, version)))
        except EncoderUnavailable as error:
            return NotMeasurable(f"{error.message}: {error.remedy}")


def _mono(audio: Audio, rate: int) -> NDArray[np.float32]:
    return Signals(audio, rate).mono("enhanced", _ASR_RATE)


def _noise(study: Study, utterance: Utterance, speech: Audio, rate: int) -> tuple[Audio, str]:
    """Return a piece of noise as long as the speech, the same at every SNR, and what it is called."""
    random = generator(study.seed, utterance.key)
    path, label = study.noise[int(random.integers(len(study.noise)))]
    try:
        with open_reader(path) as reader:
            for _ in range(_DRAWS):
                place = draw_place(reader.info, speech.shape[1] / rate, random)
                noise = NoiseBed(reader, place, rate, len(speech)).read(speech.shape[1])
                if noise.any():
                    return noise, label
            raise SilentNoiseError("the noise is silent there")
    except InputError as error:
        error.path, error.message = label, f"noise: {error.message}"
        raise


def transcript(lines: Sequence[Mapping[str, object]], label: str) -> str:
    """Return what is said in a recording, by ``text`` in the lines of a manifest that name it.

    Parameters
    ----------
    lines : sequence of mapping
        One or more.
    label : str
        How the recording is called in messages.

    Raises
    ------
    InputError
        There is no text, or one without words, or the lines are about parts of the recording: it is recognised whole.
    """
    texts = [text for line in lines if isinstance(text := line.get("text"), str) and plain(text)]
    if len(texts) < len(lines):
        raise InputError("its line in the manifest has no text", path=label, remedy='write "text": "what is said"')
    if any(line.get("offset") for line in lines) or len(set(map(plain, texts))) > 1:
        raise _in_parts(label)
    return texts[0]


def stated_s(lines: Iterable[Mapping[str, object]]) -> float | None:
    """Return the least ``duration`` in the lines of a manifest that name a recording, in seconds; None without any."""
    stated = (line.get("duration") for line in lines)
    return min((float(seconds) for seconds in stated if isinstance(seconds, int | float)), default=None)


def _in_parts(label: str) -> InputError:
    return InputError(
        "the manifest gives the text of parts of it, and it is recognised as a whole",
        path=label,
        remedy="cut it into one file for each utterance",
    )
