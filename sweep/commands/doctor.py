"""`sweep doctor`: check this machine and say how to fix what does not work."""

from __future__ import annotations

import os
import platform
import socket
import sys
import sysconfig
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal, NamedTuple

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sweep.bootstrap import FOLDERS, other_packages
from sweep.commands.imports import Imports, read_imports
from sweep.errors import listed
from sweep.machine.disk import existing, free_bytes
from sweep.machine.processors import available_cores, find_gpus, torch_has_cuda, why_no_gpu
from sweep.reports.document import as_json, publish
from sweep.terminal.console import is_brief, say
from sweep.workspace import Workspace
from trainer.errors import UserError
from trainer.sources.time_limit import call_within
from trainer.words import counted

GIBIBYTE = 2**30
MIN_FREE_MEMORY = 2 * GIBIBYTE
MIN_FREE_DISK = 1 * GIBIBYTE
GPT2_VOCABULARY = "6d1cbeee0f20b3d9449abfede4726ed8212e3aee"
"""Name of GPT-2's merges in tiktoken's cache: the SHA-1 of their URL."""
MARKS = {"good": ("✓", "green"), "note": ("·", "yellow"), "bad": ("✗", "bold red")}


class Finding(NamedTuple):
    """The result of one check."""

    what: str
    grade: str
    """`good`, `note` (works with limits) or `bad` (runs will fail)."""
    words: str


def doctor(workspace: Workspace, console: Console, form: Literal["table", "json"] = "table") -> int:
    """Check this machine; exit status 1 if runs would fail. A brief console gets the problems only."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    findings = list(_examine(workspace))
    bad = sum(finding.grade == "bad" for finding in findings)
    if form == "json":
        publish(as_json([finding._asdict() for finding in findings]), None, console)
        return 1 if bad else 0
    shown = [each for each in findings if each.grade == "bad" or not is_brief(console)]
    for finding in shown:
        mark, style = MARKS[finding.grade]
        table.add_row(Text(mark, style), finding.what, Text(finding.words))
    if shown:
        console.print(table)
    say(console, f"Problems to fix first: {bad}." if bad else "Ready: sweep run STUDY")
    return 1 if bad else 0


def _examine(workspace: Workspace) -> Iterator[Finding]:
    imports = read_imports()
    checks: tuple[Callable[[], Finding], ...] = (
        _python,
        _packages,
        lambda: _torch(imports),
        lambda: _trainer(imports),
        _devices,
        _memory,
        lambda: _disk(workspace.folder),
        _standard_library,
        _tokenizer_cache,
        _network,
        lambda: _database(workspace),
    )
    for check in checks:
        yield check()


def _python() -> Finding:
    good = sys.version_info >= (3, 11)
    words = f"{platform.python_version()} ({sys.executable})"
    return Finding("python", "good" if good else "bad", words if good else f"{words}: 3.11 needed")


def _packages() -> Finding:
    found = {}
    for name in ("numpy", "scipy", "pandas", "sqlalchemy", "pydantic", "rich", "tiktoken"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            return Finding("packages", "bad", f"{name} is missing: pip install -e . again")
    return Finding("packages", "good", ", ".join(f"{k} {v}" for k, v in found.items()))


def _torch(imports: Imports) -> Finding:
    if not imports.lines:
        return Finding("torch", "bad", f"cannot be imported: {imports.problem}; install it again")
    name, cuda = str(imports.lines[0]["torch"]), imports.lines[0]["cuda"]
    if (why := why_no_gpu()) and not torch_has_cuda():
        return Finding("torch", "note", f"{name}. {why}: runs train on the CPU")
    if find_gpus() and not cuda:
        return Finding(
            "torch", "bad", f"{name} sees no GPU, but there is one: install a CUDA build"
        )
    return Finding("torch", "good", name)


def _trainer(imports: Imports) -> Finding:
    """Check that runs import our `trainer` and `model`; name other packages so called."""
    if len(imports.lines) < 2:
        words = f"runs cannot import it: {imports.problem}; install sweep again"
        return Finding("trainer", "bad", words)
    for name, file in imports.lines[1].items():
        if not Path(str(file)).is_relative_to(FOLDERS[name]):
            words = f"runs import `{name}` from {file}; it should come from {FOLDERS[name]}"
            return Finding("trainer", "bad", words)
    others = [f"`{name}` at {place}" for name, place in other_packages().items()]
    unused = f"; not used: {listed(others)}" if others else ""
    return Finding("trainer", "good", f"{FOLDERS['trainer'] / 'trainer'}{unused}")


def _devices() -> Finding:
    gpus, cores = find_gpus(), available_cores()
    if gpus:
        return Finding("devices", "good", f"GPUs: {len(gpus)}, with one run on each")
    return Finding("devices", "good", f"{cores} CPU cores, no GPU: one run on each core")


def _memory() -> Finding:
    try:
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return Finding("memory", "note", "this system does not tell how much memory is free")
    grade = "good" if free >= MIN_FREE_MEMORY else "note"
    advice = (
        "" if grade == "good" else ": the default study takes up to 2 GiB, close other programs"
    )
    return Finding("memory", grade, f"{free / GIBIBYTE:.1f} GiB free{advice}")


def _disk(folder: Path) -> Finding:
    there = existing(folder)
    if not there.is_dir() or not os.access(there, os.W_OK):
        return Finding("disk", "bad", f"{there} cannot be written: choose another with --runs DIR")
    free = free_bytes(there)
    grade = "good" if free >= MIN_FREE_DISK else "note"
    advice = "" if grade == "good" else ": free some, or choose another folder with --runs DIR"
    return Finding("disk", grade, f"{free / GIBIBYTE:.1f} GiB free at {there}{advice}")


def _standard_library() -> Finding:
    root = Path(sysconfig.get_paths()["stdlib"])
    if any(root.glob("*.py")):
        return Finding("corpus", "good", f"python-stdlib at {root}")
    return Finding("corpus", "bad", f"no library source at {root}: python-stdlib cannot be used")


def _tokenizer_cache() -> Finding:
    folder = os.environ.get("TIKTOKEN_CACHE_DIR")
    if folder and (Path(folder) / GPT2_VOCABULARY).exists():
        return Finding("tokenizer", "good", f"gpt2 is cached in {folder}")
    return Finding(
        "tokenizer",
        "note",
        "bytes works; gpt2 is downloaded at first use: set TIKTOKEN_CACHE_DIR to keep it",
    )


def _network() -> Finding:
    try:
        call_within(3, lambda: socket.create_connection(("huggingface.co", 443), timeout=3)).close()
        return Finding("network", "good", "huggingface.co answers")
    except OSError as error:
        words = f"huggingface.co does not answer ({error}): python-stdlib and bytes work offline"
        return Finding("network", "note", words)


def _database(workspace: Workspace) -> Finding:
    try:
        store = workspace.open_to_read_if_any()
    except UserError as error:
        return Finding("database", "bad", str(error))
    if store is None:
        return Finding("database", "good", "none yet: the first run creates it")
    words = f"{counted(len(store.studies()), 'study', 'studies')} in {store.url}"
    if store.network:
        words += f", on {store.network}: use it with one command at a time, or another with --db"
    return Finding("database", "note" if store.network else "good", words)
