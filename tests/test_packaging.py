"""What is shipped: the wheel's contents, the pins, and a start that imports nothing heavy."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def plain(name: str) -> str:
    """Normalise a distribution's name as PEP 503 does."""
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.slow
def test_the_wheel_holds_the_package_and_nothing_else(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    assert re.fullmatch(r"cleanaudio_cli-[\d.]+-py3-none-any\.whl", wheel.name)
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (metadata,) = (archive.read(name).decode() for name in names if name.endswith(".dist-info/METADATA"))
        (entries,) = (archive.read(name).decode() for name in names if name.endswith("entry_points.txt"))
    assert {name.split("/")[0].split("-")[0] for name in names} == {"cleanaudio", "cleanaudio_cli"}
    held = (path.relative_to(ROOT) for path in (ROOT / "cleanaudio").rglob("*") if path.is_file())
    sources = {str(path) for path in held if "__pycache__" not in path.parts}
    assert sources <= names
    assert "Name: cleanaudio-cli\n" in metadata
    assert "cleanaudio = cleanaudio.__main__:main" in entries


def test_everything_that_is_required_is_pinned() -> None:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pinned = {plain(re.split(r"[=;]", line)[0]) for line in lines if line and not line.startswith("#")}
    wanted = [*PROJECT["dependencies"], *(one for extra in PROJECT["optional-dependencies"].values() for one in extra)]
    names = {plain(re.split(r"[\[<>=;~! ]", one)[0]) for one in wanted} - {"cleanaudio-cli"}
    assert names <= pinned
    assert all(re.fullmatch(r"#.*|[\w.-]+==[\w.]+(; .+)?", line) for line in lines)


def test_extra_all_is_all() -> None:
    extras = PROJECT["optional-dependencies"]
    assert set(re.findall(r"[\w]+", extras["all"][0].split("[")[1])) == set(extras) - {"all", "dev"}


@pytest.mark.parametrize("arguments", [["--help"], ["denoise", "--help"], ["--version"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys\nfrom cleanaudio.cli.app import main\n"
        f"assert main({arguments!r}) == 0\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"numpy", "scipy", "librosa", "noisereduce", "soundfile", "torch", "onnxruntime", "onnx", "matplotlib"}
    assert not heavy & set(done.stderr.split())
