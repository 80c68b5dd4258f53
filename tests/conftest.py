"""For all tests: no deadlines, and data that is too large for the repository.

Tests that need such data skip where it is absent.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import settings

from tests.forked_command import ForkedCommand
from tests.patience import PATIENCE
from tests.zygote import Zygote

settings.register_profile("without a deadline", deadline=None)  # other tests run beside each
settings.load_profile("without a deadline")

Run = Callable[..., subprocess.CompletedProcess[str]]
Start = Callable[..., ForkedCommand]
FRESH = {"SWEEP_DEBUG", "FORCE_COLOR", "NO_COLOR", "COLUMNS", "TERM"}
"""Environment variables that would change what a command prints."""
ROOT = Path(__file__).parents[1]
DATA = ROOT.parent / "shared" / "data"

# Programs that tests start import our packages from here. An installation gives them `sweep` alone.
os.environ["PYTHONPATH"] = os.pathsep.join(
    [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
)

# A shell lets its jobs in the background ignore Ctrl-C, and so what these start. Some tests send it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Threads that wait for each other must not spin: tests run beside others, on few cores.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@pytest.fixture(scope="session")
def gpt2_vocabulary() -> Path:
    """The folder that holds GPT-2's vocabulary, for `TIKTOKEN_CACHE_DIR`."""
    folder = Path(os.environ.get("TIKTOKEN_CACHE_DIR", DATA / "tiktoken-cache"))
    if not folder.is_dir():
        pytest.skip(
            f"GPT-2's vocabulary is not at {folder}; TIKTOKEN_CACHE_DIR may name its folder"
        )
    return folder


@pytest.fixture(scope="session")
def shakespeare() -> Path:
    """Real English: 1,115,394 bytes."""
    file = DATA / "tinyshakespeare.txt"
    if not file.exists():
        pytest.skip(f"{file} is not there")
    return file


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    """Starts commands without the cost of their imports."""
    with Zygote() as made:
        yield made


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """The environment of a command: no terminal, no colours."""
    return {name: value for name, value in os.environ.items() if name not in FRESH}


@pytest.fixture(scope="session")
def sweep(environment: dict[str, str], zygote: Zygote) -> Run:
    """Runs the command line in a folder: `sweep(folder, "report", "--format", "json")`."""

    def run(
        folder: Path,
        *words: object,
        timeout: float = PATIENCE,
        variables: Mapping[str, str] = environment,
    ) -> subprocess.CompletedProcess[str]:
        return zygote.run([str(word) for word in words], folder, variables, timeout)

    return run


@pytest.fixture
def start(environment: dict[str, str], zygote: Zygote) -> Iterator[Start]:
    """Starts the command line in a folder, and kills it at the end: `start(folder, "run", "s.toml")`."""
    with contextlib.ExitStack() as started:

        def begin(folder: Path, *words: object, merged: bool = False) -> ForkedCommand:
            called = [str(word) for word in words]
            command = zygote.start(called, folder, environment, merged=merged)
            started.enter_context(command)
            started.callback(command.kill)
            return command

        yield begin
