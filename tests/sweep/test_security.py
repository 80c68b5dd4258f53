"""Text from files is data: it is not executed, moves no cursor, and writes only to the folder of runs."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from benchmarks.processes import processes
from sweep.cli import main
from sweep.design.arms import make_plan
from sweep.store.schema import arms, attempts, runs, studies
from sweep.store.store import Store
from sweep.store.url import store_url
from sweep.study.file import parse_study
from tests.forked_command import ForkedCommand
from tests.sweep.stores import fill
from trainer.rundir.directory import Event, Result

HOSTILE = {
    "to a terminal": "\x1b[31mred\x1b[2J\x1b]0;owned\x07 one\rtwo\x0bthree\x85four\u2028five\x9b",
    "to rich": "[red]x[/red] [link=http://e.org]y[/link] :smile: [/]",
    "to a reader": "abc\u202edef\u200f\u200d\ufeff \N{PILE OF POO}",
    "to a browser": "<script>alert(1)</script>",
    "to a file system": "../../../../etc/passwd",
    "to Windows": "CON",
    "to a shell": "; touch pwned; $(touch pwned) `touch pwned` | touch pwned",
    "to Python": "__import__('os').system('touch pwned')",
    "to a spreadsheet": "=cmd|'/C calc'!A0",
    "to LaTeX": r"\input{/etc/passwd} $x_1^2$ 50% & #{}~",
    "to C": "a\0b",
    "by its length": "x" * 1000,
}
"""Texts with a special meaning to SQL, shells, terminals, paths or markup."""
LOOKING = (
    "status",
    "list",
    "report",
    "report --format md",
    "report --format csv",
    "report --format latex",
    "report --format json",
    "show clip/1",
    "log clip/1",
    "noise",
    "stack --dry-run",
)
FREE = (
    "data.corpus",
    "data.pattern",
    "data.subset",
    "data.revision",
    "data.text_column",
    "data.separator",
    "data.tokenizer",
    "train.initial_weights",
)
"""Fields of a recipe that take any text."""

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """The command line in a folder of its own: exit status, standard output, standard error."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)

    def call(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["sweep", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return call


def check_harmless(text: str) -> None:
    """A terminal shows it as it stands, and it is no traceback."""
    odd = {character for character in text if not character.isprintable()}
    assert odd <= {"\n"}
    assert "Traceback" not in text
    assert "this is a bug" not in text


OPEN = {".db-shm", ".db-wal"}
"""Files that SQLite keeps beside an open database."""


def files(folder: Path) -> set[str]:
    found = [path for path in folder.rglob("*") if path.is_file() and path.suffix not in OPEN]
    return {str(path.relative_to(folder)) for path in found}


@pytest.mark.slow
@pytest.mark.parametrize("word", HOSTILE.values(), ids=HOSTILE)
def test_text_from_a_database_is_shown_and_has_no_effect(
    command: Command,
    content: dict[str, Any],
    make_result: Callable[..., Result],
    events: list[Event],
    word: str,
) -> None:
    content["question"] = content["interventions"]["clip"]["because"] = word
    plan = make_plan(parse_study(content, "s.toml"), "s.toml")
    with Store(store_url(None, Path("runs")), create=True) as store:
        fill(store, plan, make_result, events, Path("s.toml"))
        told = {"cause": word, "notes": [word], "provenance": {"device": word, "commit": word}}
        with store.write() as connection:
            connection.execute(update(studies).values(path=word))
            connection.execute(update(attempts).values(reason=word))
            connection.execute(update(runs).values(told))
            connection.execute(update(arms).where(arms.c.name == "no-dropout").values(name=word))
    before = files(Path.cwd().parent)
    for line in LOOKING:
        _, out, err = command(*line.split())
        check_harmless(out + err)
        assert not re.search(r"(?<!\\)<script", out) or "csv" in line or "md" not in line
        if "csv" in line:
            names = [row["arm"] for row in csv.DictReader(io.StringIO(out))]
            assert len(names) == 3
            assert not any(name.startswith(("=", "+", "-", "@", "\t", "\r")) for name in names)
    assert files(Path.cwd().parent) == before


@pytest.mark.slow
@pytest.mark.parametrize("field", FREE)
@pytest.mark.parametrize("word", HOSTILE.values(), ids=HOSTILE)
def test_text_from_a_study_file_is_neither_executed_nor_used_as_a_path(
    command: Command, study_text: str, field: str, word: str
) -> None:
    line = f"{field} = {json.dumps(word, ensure_ascii=True)}\n"
    Path("s.toml").write_text(
        study_text.replace("[baseline.model]", f"[baseline]\n{line}[baseline.model]", 1)
    )
    for words in (["plan", "s.toml"], ["data", "prepare", "s.toml"]):
        status, out, err = command(*words)
        check_harmless(out + err)
        assert status in {0, 2}, err
    assert {name for name in files(Path.cwd().parent) if "runs/cache/" not in name} == {
        "here/s.toml"
    }


@pytest.mark.slow
@pytest.mark.parametrize("word", HOSTILE.values(), ids=HOSTILE)
def test_hostile_arguments_have_no_effect(command: Command, word: str) -> None:
    before = files(Path.cwd().parent)
    for words in (
        ["plan", word],
        ["run", f"{word}.toml"],
        ["report", word],
        ["show", word],
        ["import", word, "--study", "x"],
        ["evaluate", word, "--study", "x"],
        ["report", "--db", word],
        ["generate", word, "--prompt", word],
    ):
        status, out, err = command(*words)
        assert status == 2, (words, out, err)
        check_harmless(out + err)
    assert files(Path.cwd().parent) == before


@pytest.mark.slow
def test_a_run_writes_only_below_the_folder_of_runs(
    finished: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    folder, done = finished
    assert done.returncode == 0
    assert {path.name for path in folder.iterdir()} == {"s.toml", "runs"}
    names = {path.name for path in folder.rglob("*")}
    assert len(names) > 10
    assert all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name) for name in names)


def listening(pid: int) -> set[str]:
    """Addresses at which a process waits for others to call: TCP that listens, and all UDP."""
    sockets = set[str]()
    with contextlib.suppress(OSError):  # it has ended
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                sockets.add(str(descriptor.readlink()))
    found = set()
    for kind, state in (("tcp", "0A"), ("tcp6", "0A"), ("udp", "07"), ("udp6", "07")):
        for line in Path(f"/proc/net/{kind}").read_text().splitlines()[1:]:
            words = line.split()
            if words[3] == state and f"socket:[{words[9]}]" in sockets:
                found.add(f"{kind} {words[1]}")
    return found


def family(root: int) -> set[int]:
    """A process and all that it has started, and they have."""
    parents = {pid: parent for pid, parent, _ in processes()}
    found = {root}
    while new := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= new
    return found


@pytest.mark.nightly
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_processes_of_a_study_accept_no_connections(
    tmp_path: Path, study_text: str, start: Callable[..., ForkedCommand]
) -> None:
    with socket.create_server(("127.0.0.1", 0)):
        assert listening(os.getpid())  # an open port is seen
    (tmp_path / "s.toml").write_text(study_text.replace("tokens = 2048", "tokens = 65536"))
    running = start(tmp_path, "run", "s.toml")
    most, ports = 0, set[str]()
    while running.poll() is None:
        pids = family(running.pid)
        most = max(most, len(pids))
        ports = ports.union(*map(listening, pids))
        time.sleep(0.05)
    assert running.returncode == 0
    assert most >= 3  # the command, its fork server, and a run
    assert not ports


def huge_header(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": "gpt2"}')
    (folder / "model.safetensors").write_bytes((2**62).to_bytes(8, "little") + b"{}")


def endless(folder: Path) -> None:
    (folder / "config.json").symlink_to("/dev/zero")


def pickled(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": "gpt2"}')
    (folder / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'touch pwned'\ntR.")


def circle(folder: Path) -> None:
    (folder / "config.json").symlink_to(folder / "config.json")


def elsewhere(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": "gpt2"}')
    index = {"weight_map": {"wte.weight": "../../secret.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def waits(folder: Path) -> None:
    os.mkfifo(folder / "config.json")


@pytest.mark.slow
@pytest.mark.parametrize(
    "make",
    [
        pickled,
        *(pytest.param(make, marks=pytest.mark.nightly) for make in (huge_header, endless, circle)),
        *(pytest.param(make, marks=pytest.mark.nightly) for make in (elsewhere, waits)),
    ],
)
def test_a_hostile_model_is_refused_at_once_and_its_code_is_not_executed(
    command: Command, study_text: str, make: Callable[[Path], None]
) -> None:
    Path("model").mkdir()
    make(Path("model"))
    line = '[baseline.train]\ninitial_weights = "model"\n'
    Path("s.toml").write_text(study_text.replace("[baseline.train]\n", line))
    for words in (["plan", "s.toml"], ["generate", "model", "--prompt", "x"]):
        status, out, err = command(*words)
        check_harmless(out + err)
        assert status == 2 or "Before it can be run:" in out
        assert "model" in out + err
    assert not list(Path.cwd().parent.rglob("pwned"))
