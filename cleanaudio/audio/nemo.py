"""Lines of a manifest in the form of NVIDIA NeMo: a JSON object each, of which ``audio_filepath`` is a recording."""

from __future__ import annotations

import json
from typing import Any

from cleanaudio.errors import InputError


def parsed(line: bytes, place: str) -> tuple[str, dict[str, Any]]:
    """Return the recording that a line names, as it is written there, and what else the line says of it.

    Parameters
    ----------
    line : bytes
        UTF-8, with a byte order mark or without; bytes that are none are kept as file systems have them.
    place : str
        Which line it is, for the error.

    Raises
    ------
    InputError
        It is no JSON, or names no recording.
    """
    try:
        fields = json.loads(line.decode("utf-8-sig", "surrogateescape"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"the line is not JSON: {error}", path=place) from error
    name = fields.pop("audio_filepath", None) if isinstance(fields, dict) else None
    if not isinstance(name, str) or not name:
        raise InputError("the line has no audio_filepath that is a file's name", path=place)
    return name, fields
