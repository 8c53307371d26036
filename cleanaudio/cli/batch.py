"""What a run is to do with files: the shared options, read and checked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cleanaudio.audio.formats import AUDIO_SUFFIXES, named_format
from cleanaudio.cli import values
from cleanaudio.errors import RecipeError

if TYPE_CHECKING:
    from cleanaudio.batch.groups import Grouping
    from cleanaudio.batch.output import Output
    from cleanaudio.cli.shared import Shared


@dataclass(frozen=True)
class Batch:
    """What a run is to do with files: what was asked for, and what follows from it."""

    shared: Shared
    written: Output
    existing: Literal["refuse", "skip", "overwrite"]
    min_age_s: float
    columns: tuple[str, ...] = ()
    residual: bool = False
    grouping: Grouping | None = None
    sidecar: bool = False

    @classmethod
    def of(
        cls,
        shared: Shared,
        *,
        columns: tuple[str, ...] = (),
        residual: bool = False,
        grouping: Grouping | None = None,
        sidecar: bool = False,
    ) -> Batch:
        """Read what was asked for.

        Parameters
        ----------
        shared : Shared
        columns : tuple of str
            That the log has more than those of every command.
        residual, sidecar : bool
            What is written beside every result.
        grouping : Grouping, optional
            Which files are one recording.

        Raises
        ------
        RecipeError, FormatError
            Options that contradict each other.
        """
        from cleanaudio.batch.levelling import COLUMNS as LEVELS
        from cleanaudio.batch.outcome import state_columns
        from cleanaudio.batch.output import Output

        return cls(
            shared=shared,
            written=Output(_format(shared), shared.subtype, shared.clip_mode, shared.level, shared.judging),
            existing=_existing(shared),
            min_age_s=values.duration(shared.min_age),
            columns=(
                *columns,
                *(LEVELS if shared.level else ()),
                *(shared.judging.columns if shared.judging else ()),
                *(state_columns("residual") if residual else ()),
                *(state_columns("sidecar") if sidecar else ()),
            ),
            residual=residual,
            grouping=grouping,
            sidecar=sidecar,
        )

    @property
    def inputs(self) -> tuple[str, ...]:
        """What is to be read, as the user named it."""
        return tuple(self.shared.inputs or ())

    @property
    def quarantines(self) -> bool:
        """Whether what fails a gate is put aside."""
        return self.shared.if_fails == "quarantine"

    @property
    def piped(self) -> bool:
        """Whether the audio comes on stdin."""
        return self.inputs == ("-",)

    @property
    def to_stdout(self) -> bool:
        """Whether the result goes to stdout."""
        output = self.shared.output
        return output == "-" or (output is None and self.piped)

    @property
    def replaces(self) -> bool:
        """Whether a file of the output's name may be there when the output is done."""
        return self.existing != "refuse"

    def target(self) -> tuple[Path | None, Path | None]:
        """Return the output folder or the output file: one of them is None.

        Raises
        ------
        RecipeError
            No output, or a file for several inputs.
        """
        output = self.shared.output
        if not output:
            raise RecipeError("where shall the results go?", remedy="give -o FOLDER")
        path = Path(output)
        if not names_a_file(output):
            return path, None
        lone = len(self.inputs) == 1 and not self.inputs[0].startswith("@") and not Path(self.inputs[0]).is_dir()
        # Of several files that may be one recording the plan knows.
        if self.shared.manifest or not (lone or self.grouping):
            raise RecipeError(f"-o {output} is one file, but there may be several inputs", remedy="give a folder")
        return None, path


def names_a_file(output: str | None) -> bool:
    """Whether ``-o`` names one file, not a folder or a pipe."""
    if output is None or output.endswith("/"):
        return False
    return Path(output).suffix.lower() in AUDIO_SUFFIXES and not Path(output).is_dir()


def _format(shared: Shared) -> str | None:
    """Return the format of what is written: as asked for, else what the name of a single output says."""
    if shared.output is None or not names_a_file(shared.output):
        return shared.format
    return named_format(shared.output, shared.inputs[0] if shared.inputs else "", shared.format)


def _existing(shared: Shared) -> Literal["refuse", "skip", "overwrite"]:
    """Return what happens to outputs that exist."""
    if shared.skip_existing and shared.overwrite:
        raise RecipeError("--skip-existing and --overwrite contradict each other")
    return "skip" if shared.skip_existing else "overwrite" if shared.overwrite else "refuse"
