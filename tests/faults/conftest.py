from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.terminal import HASTE, Terminal


@pytest.fixture(scope="session")
def peace(tmp_path_factory: pytest.TempPathFactory) -> Terminal:
    """The study as it ends when nobody disturbs it."""
    made = Terminal(tmp_path_factory.mktemp("peace"), jobs="")
    assert "3/3" in made.sweep("run", "s.toml")
    return made


@pytest.fixture
def open_terminal(tmp_path: Path) -> Iterator[Callable[..., Terminal]]:
    """Opens a terminal in a folder of its own; `Terminal` says with what."""
    opened: list[Terminal] = []

    def make(jobs: str = HASTE, folder: Path | None = None, **shape: int) -> Terminal:
        opened.append(Terminal(folder or tmp_path / "study", jobs, **shape))
        return opened[-1]

    yield make
    for terminal in opened:
        terminal.close()
