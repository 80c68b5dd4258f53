from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.terminal import NO_PAUSES, Terminal
from tests.zygote import Zygote


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, zygote: Zygote) -> Terminal:
    """The study, trained without any disturbance."""
    made = Terminal(zygote, tmp_path_factory.mktemp("undisturbed"), jobs="")
    assert "3/3" in made.sweep("run", "s.toml")
    return made


@pytest.fixture
def open_terminal(tmp_path: Path, zygote: Zygote) -> Iterator[Callable[..., Terminal]]:
    """Opens a terminal in a new folder, with the arguments of `Terminal`."""
    opened: list[Terminal] = []

    def make(jobs: str = NO_PAUSES, folder: Path | None = None, **shape: int) -> Terminal:
        opened.append(Terminal(zygote, folder or tmp_path / "study", jobs, **shape))
        return opened[-1]

    yield make
    for terminal in opened:
        terminal.close()
