"""Speech recognisers: the one of the package ``moonshine-voice`` (extra ``[impact]``), or any command."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cleanaudio.errors import BackendUnavailable, CleanAudioError, RecipeError

Vector = NDArray[np.float32]
Recogniser = Callable[[Vector], str]
"""Takes mono speech at :data:`RATE`, gives its words."""

RATE = 16000
LONGEST_S = 40
"""The recogniser of the extra gets longer recordings in equal pieces."""
COMMAND_LIMIT_S = 600
_PLACE = "{wav}"


class RecogniserError(CleanAudioError):
    """The recogniser broke down over a recording."""


@cache
def recogniser(command: str | None = None) -> Recogniser:
    """Return a recogniser, made once for each process.

    Parameters
    ----------
    command : str, optional
        A command with ``{wav}`` where the name of a file goes (mono, 16 kHz, 16 bits), which prints what it heard;
        no shell reads it. Default: Moonshine tiny, English.

    Raises
    ------
    BackendUnavailable
        There is no command, and ``moonshine-voice`` or its weights are not installed.
    RecipeError
        The command has no ``{wav}``, or its program cannot be found.
    """
    return _moonshine() if command is None else _Command(command)


def _moonshine() -> Recogniser:
    try:
        from moonshine_voice import ModelArch, Transcriber
        from moonshine_voice.utils import get_model_path
    except (ImportError, OSError) as error:
        raise BackendUnavailable("speech recognition", "impact", str(error)) from None
    folder = get_model_path("tiny-en")
    if not folder.is_dir():
        raise BackendUnavailable(
            "speech recognition",
            "impact",
            "this moonshine-voice brings no weights, as 0.1.0 does; or use --asr-command",
        )
    # Its voice detector remembers earlier recordings, so that one recording got several answers: it is switched off.
    transcriber = Transcriber(str(folder), ModelArch.TINY, options={"vad_threshold": 0.0})

    def recognise(speech: Vector) -> str:
        pieces = np.array_split(speech, max(1, -(-len(speech) // (LONGEST_S * RATE))))
        found = [transcriber.transcribe_without_streaming(piece.tolist(), RATE).lines for piece in pieces]
        return " ".join(line.text.strip() for lines in found for line in lines)

    return recognise


class _Command:
    """A recogniser that is a program of its own."""

    def __init__(self, command: str) -> None:
        try:
            self._words = shlex.split(command)
        except ValueError as error:
            raise RecipeError(f"--asr-command {command!r} cannot be read: {error}") from None
        if not any(_PLACE in word for word in self._words):
            raise RecipeError(
                f"--asr-command {command!r} has no {_PLACE}", remedy=f'write it where the file goes: "cmd {_PLACE}"'
            )
        if shutil.which(self._words[0]) is None:
            raise RecipeError(f"--asr-command: there is no program {self._words[0]!r}", remedy="check its name")

    def __call__(self, speech: Vector) -> str:
        import soundfile

        with tempfile.TemporaryDirectory(prefix="cleanaudio-asr-") as folder:
            wav = Path(folder) / "speech.wav"
            soundfile.write(wav, np.clip(speech, -1, 1), RATE, subtype="PCM_16")
            command = [word.replace(_PLACE, str(wav)) for word in self._words]
            try:
                done = subprocess.run(
                    command, stdin=subprocess.DEVNULL, capture_output=True, timeout=COMMAND_LIMIT_S, check=False
                )
            except subprocess.TimeoutExpired:
                raise RecogniserError(f"the ASR command gave no answer within {COMMAND_LIMIT_S} s") from None
            except OSError as error:
                raise RecogniserError(f"the ASR command cannot be run: {error.strerror}") from error
        if done.returncode:
            said = done.stderr.decode("utf-8", "replace").strip().splitlines()
            raise RecogniserError(
                f"the ASR command ended with {done.returncode}" + (f": {said[-1]}" if said else ""),
                remedy=f"try it by hand: {shlex.join(self._words)}",
            )
        return done.stdout.decode("utf-8", "replace").strip()
