"""What a run was made of: the recordings with their licences, the machine, the revision of the code.

Kept as ``about.json`` in the run folder, for the card of the model that comes out of it.
"""

from __future__ import annotations

import json
import platform
import subprocess
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

from cleanaudio.audio.temporary import write_text
from cleanaudio.errors import ModelError
from cleanaudio.train.clips import scan

FILE = "about.json"
COUNTED = ("minutes", "hours_heard", "step")
"""Facts of a checkpoint that add up where one run begins with the weights of another."""
NOT_STATED = "not stated"


def gathered(
    sources: Mapping[str, Iterable[Path]],
    device: torch.device | str = "cpu",
    skipped: Iterable[str] = (),
    earlier: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return what a run is made of.

    Parameters
    ----------
    sources : mapping
        Folders or manifests (:func:`cleanaudio.train.clips.scan`) by role: speech, noise, rir.
    device : torch.device or str
    skipped : iterable of str
        Recordings that could not be read, with the reason.
    earlier : mapping, optional
        Of a run that goes on, what it was made of (:func:`read`). Of one that began with the weights of another, the
        other's ``data`` and, as ``before``, its :func:`total`.
    """
    earlier = earlier or {}
    own = [line for role, paths in sources.items() for line in licences(role, paths)]
    return {
        "data": list(dict.fromkeys([*own, *earlier.get("data", [])])),
        "machines": list(dict.fromkeys([*earlier.get("machines", []), machine(device)])),
        "before": dict(earlier.get("before", {})),
        "revision": revision(),
        "skipped": list(skipped),
    }


def write(run_dir: Path, made_of: Mapping[str, Any]) -> None:
    """Write what a run is made of, as :func:`gathered` returns it.

    Raises
    ------
    OutputError
        It cannot be written.
    """
    run_dir.mkdir(parents=True, exist_ok=True)
    write_text(run_dir / FILE, json.dumps(made_of, indent=1, ensure_ascii=False), "free some space")


def read(run_dir: Path) -> dict[str, Any]:
    """Return what :func:`write` wrote, nothing where it did not.

    Raises
    ------
    ModelError
        The file is broken.
    """
    path = run_dir / FILE
    try:
        about = json.loads(path.read_text(encoding="utf-8", errors="surrogateescape"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ModelError(f"cannot be read ({error})", path=path) from error
    if not isinstance(about, dict):
        raise ModelError("is not what a run is made of", path=path)
    return about


def total(facts: Mapping[str, Any], run_dir: Path) -> dict[str, float]:
    """Return minutes, hours heard and steps of a checkpoint, with those of the runs that it began with.

    Parameters
    ----------
    facts : mapping
        The facts of the checkpoint.
    run_dir : Path
        The folder of its run.
    """
    before = read(run_dir).get("before", {})
    return {name: facts.get(name, 0) + before.get(name, 0) for name in COUNTED}


def licences(role: str, paths: Iterable[Path]) -> list[str]:
    """Return a line for each licence, the commonest first: role, licence, number of recordings, their sources."""
    sources: dict[str, Counter[str]] = {}
    for path in paths:
        for clip in scan(Path(path), "type"):
            name = clip.source or clip.path.parent.name
            sources.setdefault(clip.licence or NOT_STATED, Counter())[name] += 1
    ordered = sorted(sources.items(), key=lambda item: -item[1].total())
    return [f"{role}: {licence}: recordings: {of.total()}, from {', '.join(sorted(of))}" for licence, of in ordered]


def machine(device: torch.device | str = "cpu") -> str:
    """Return what computes, in words."""
    device = torch.device(device)
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{_processor()}, threads: {torch.get_num_threads()}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def revision() -> str:
    """Return the git revision of this very code, nothing where it does not lie in a repository."""
    here = Path(__file__)
    try:
        for command in (["ls-files", "--error-unmatch", here.name], ["rev-parse", "--short", "HEAD"]):
            done = subprocess.run(["git", "-C", str(here.parent), *command], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()
