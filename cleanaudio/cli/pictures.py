"""Whether a picture can be drawn, found out before anything is measured."""

from __future__ import annotations

from pathlib import Path

from cleanaudio.errors import BackendUnavailable, OutputError


def check_picture(option: str, path: Path | None = None, makes_folder: bool = False) -> None:
    """Make sure that matplotlib is there, and that a picture of this name can be written.

    Parameters
    ----------
    option : str
        Which asks for it, for messages.
    path : Path, optional
        Of the picture; None where it gets its name later.
    makes_folder : bool
        Whether the command makes the folders that it needs.

    Raises
    ------
    BackendUnavailable
        matplotlib is missing.
    FormatError
        A suffix that matplotlib does not know.
    OutputError
        Its folder is not there, or something that this program did not draw.
    """
    try:
        from cleanaudio.report.plots import check_name
    except ImportError:
        raise BackendUnavailable(option, "plots") from None
    if path is None:
        return
    check_name(path)
    if not (makes_folder or path.parent.is_dir()):
        raise OutputError("its folder does not exist", path=path, remedy=f"create {path.parent}")
