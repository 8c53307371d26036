"""The README's commands do what it says.

Blocks of ```console hold commands after ``$ `` and what they print. All run in one shell folder, in order, beside a
copy of the fixtures. A command ends with 0, or as ``# exit N`` behind it says; each line of output stands for a part
of what was printed, where … is anything. ```console TOOL runs where that tool is installed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cleanaudio.batch.rows import COLUMNS
from cleanaudio.cli.exits import Exit

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text("utf-8")
BLOCK = re.compile(r"^```console *(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
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


def test_every_command(desk: Path) -> None:
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": "200",
        "OMP_NUM_THREADS": "1",
    }
    ran = 0
    for tool, block in BLOCK.findall(README):
        if tool and shutil.which(tool) is None:
            continue
        for command, code, shown in commands(block):
            done = subprocess.run(
                ["bash", "-o", "pipefail", "-c", command],
                cwd=desk, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=120,
            )  # fmt: skip
            printed = (done.stdout + done.stderr).decode("utf-8", "replace")
            assert done.returncode == code, f"{command}\nended with {done.returncode}:\n{printed}"
            for line in shown:
                pattern = ".*".join(map(re.escape, line.split("…")))
                assert re.search(pattern, printed), f"{command}\ndid not print {line!r} but:\n{printed}"
            ran += 1
    assert ran >= 10


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
