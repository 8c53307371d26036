"""How results are written, whatever they were made by."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cleanaudio.audio.choices import ClipMode
    from cleanaudio.batch.judge import Judging
    from cleanaudio.batch.levelling import Loudness


@dataclass(frozen=True)
class Output:
    """How every result of a run is written, and judged.

    Parameters
    ----------
    format, subtype : str, optional
        Container and encoding, in libsndfile's names; default: as the input.
    clip_mode : {"limit", "rescale", "clamp"}
        What happens to peaks over full scale in integer formats.
    loudness : Loudness, optional
        How loud it shall be; default: the level that the processing gives.
    judging : Judging, optional
        What is measured of it, and what becomes of it if it fails.
    """

    format: str | None = None
    subtype: str | None = None
    clip_mode: ClipMode = "limit"
    loudness: Loudness | None = None
    judging: Judging | None = None

    def resolved(self) -> dict[str, Any]:
        """Return its part of a recipe, JSON-serialisable.

        Raises
        ------
        FormatError
            There is no such format or encoding.
        """
        from cleanaudio.audio.formats import check_names

        check_names(self.format, self.subtype)
        return {
            "format": self.format,
            "subtype": self.subtype,
            "clip_mode": self.clip_mode,
            "loudness": asdict(self.loudness) if self.loudness else None,
            "dither": "tpdf",
            "gate": self.judging.decides if self.judging else None,
        }
