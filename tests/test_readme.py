"""The README's commands do what it says.

Blocks of ```console hold commands after ``$ `` and what they print. All run in one shell folder, in order, beside a
copy of the fixtures. A command ends with 0, or as ``# exit N`` behind it says; each line of output stands for a part
of what was printed, where … is anything. ```console TOOL runs where that tool is installed; ```console data beside the
recordings' folder dev, and its numbers need only be near those shown.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cleanaudio.batch.rows import COLUMNS
from cleanaudio.cli.exits import Exit

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text("utf-8")
BLOCK = re.compile(r"^```console *(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"[-+]?\d+\.\d+")
EXIT = re.compile(r"\s+# exit (\d+)$")


def commands(block: str) -> list[tuple[str, int, list[str]]]:
    """Split a block into commands: what to run, its exit code, the lines shown."""
    found: list[tuple[str, int, list[str]]] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            stated = EXIT.search(line)
            found.append((EXIT.sub("", line[2:]), int(stated[1]) if stated else 0, []))
        else:
            found[-1][2].append(line)
    return found


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("readme")
    shutil.copytree(ROOT / "fixtures", folder / "fixtures", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    return folder


def run(block: str, desk: Path, pattern_of: Callable[[str], str]) -> Iterator[tuple[str, re.Match[str]]]:
    """Run the commands of a block; yield each line shown, and where its pattern found it printed."""
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": "200",
        "OMP_NUM_THREADS": "1",
    }
    for command, code, shown in commands(block):
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", command],
            cwd=desk, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=300,
        )  # fmt: skip
        printed = (done.stdout + done.stderr).decode("utf-8", "replace")
        assert done.returncode == code, f"{command}\nended with {done.returncode}:\n{printed}"
        for line in shown:
            found = re.search(pattern_of(line), printed)
            assert found, f"{command}\ndid not print {line!r} but:\n{printed}"
            yield line, found


@pytest.mark.slow
def test_every_command(desk: Path) -> None:
    ran = 0
    for tool, block in BLOCK.findall(README):
        if tool == "data" or (tool and shutil.which(tool) is None):
            continue
        ran += len(commands(block))
        list(run(block, desk, lambda line: ".*".join(map(re.escape, line.split("…")))))
    assert ran >= 10


@pytest.mark.data
def test_every_command_on_recordings(tmp_path: Path, data_dir: Path) -> None:
    (tmp_path / "dev").symlink_to((data_dir / "dev").absolute())
    for tool, block in BLOCK.findall(README):
        if tool != "data":
            continue
        for line, found in run(block, tmp_path, near):
            for shown, printed in zip(NUMBER.findall(line), found.groups(), strict=True):
                assert float(printed) == pytest.approx(float(shown), abs=0.05, rel=0.02), line


def near(line: str) -> str:
    """Return a pattern in which numbers are any, and gaps are as wide as they like."""
    texts = [r"\s+".join(map(re.escape, re.split(r"\s+", text.strip("\n")))) for text in NUMBER.split(line)]
    return f"({NUMBER.pattern})".join(texts)


def test_every_make_target_that_is_mentioned_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    mentioned = set(re.findall(r"(?:`|^)make ([a-z-]+)", README, re.MULTILINE))
    assert {"demo", "test"} <= mentioned <= targets


def test_every_column_and_exit_code_is_explained() -> None:
    table = README[README.index("### The metrics CSV") : README.index("### Exit codes")]
    assert set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)))) == set(COLUMNS)
    codes = README[README.index("### Exit codes") : README.index("## How good")]
    explained = {int(n) for cell in re.findall(r"^\| ([\d, ]+) \|", codes, re.MULTILINE) for n in cell.split(",")}
    assert explained == {int(code) for code in Exit}


def test_every_option_that_is_mentioned_exists() -> None:
    import typer

    from cleanaudio.cli.app import app

    known = {
        option
        for command in typer.main.get_command(app).commands.values()
        for parameter in command.params
        for option in parameter.opts
    }
    for command in re.findall(r"cleanaudio (?:denoise|profile-noise|backends|stream)[^\n`|]*", README):
        for option in re.findall(r"(?<=\s)--?[a-z][a-z-]*", command):
            assert option in known | {"--help"}, command
