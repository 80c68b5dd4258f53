"""The live display in a real terminal (tmux) that is resized."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sweep.progress.drawing import ECHO
from tests.patience import PATIENCE

pytestmark = pytest.mark.skipif(
    shutil.which("tmux") is None, reason="tmux is not installed: no terminal can be resized"
)


class Tmux:
    """A terminal that a test resizes and reads."""

    def __init__(self, socket: Path, command: str) -> None:
        self.socket = socket
        self.call("new-session", "-d", "-x", "120", "-y", "30", command)

    def call(self, *words: str) -> str:
        command = ["tmux", "-f", "/dev/null", "-S", str(self.socket), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def resize(self, width: int, height: int) -> None:
        self.call("resize-window", "-x", str(width), "-y", str(height))

    def lines(self) -> list[str]:
        return [line.rstrip() for line in self.call("capture-pane", "-p").splitlines()]

    def wait_for(self, condition: Callable[[list[str]], bool]) -> list[str]:
        """Return the lines of the screen as soon as they fulfil a condition."""
        deadline = time.monotonic() + PATIENCE
        while not condition(lines := self.lines()):
            assert time.monotonic() < deadline, "\n".join(lines)
            time.sleep(0.05)
        return lines


@pytest.fixture
def tmux(tmp_path: Path) -> Iterator[Tmux]:
    root = Path(__file__).parents[2]
    demo = shlex.join([sys.executable, "-m", "tests.sweep.live_demo"])
    made = Tmux(tmp_path / "s", f"unset COLUMNS LINES; cd {shlex.quote(str(root))} && {demo}; cat")
    yield made
    made.call("kill-server")


def bar(lines: list[str]) -> str:
    """The line with the bar, which must be there once."""
    (found,) = [line for line in lines if line.startswith("runs ")]
    return found


END = " 1/9 first runs will tell how long"


def is_drawn_for(width: int, slots: int) -> Callable[[list[str]], bool]:
    """True if the bar is as wide as the terminal, and the arms and so many slots are shown."""

    def condition(lines: list[str]) -> bool:
        bars = [line for line in lines if line.startswith("runs ") and END in line]
        shown = [line for line in lines if line.startswith("cpu ")]
        whole = [len(line) for line in bars] == [width - 1 - ECHO] and len(shown) == slots
        return whole and any(line.startswith("arm-1 ") for line in lines)

    return condition


def test_a_resized_terminal_has_each_line_once_and_uses_its_width(tmux: Tmux) -> None:
    for width, height in ((120, 30), (70, 30), (64, 30), (110, 30), (80, 24)):
        tmux.resize(width, height)
        lines = tmux.wait_for(is_drawn_for(width, slots=8))
        assert bar(lines)
        slots = [line for line in lines if line.startswith("cpu ")]
        assert [line.split()[1] for line in slots] == list("01234567"), "\n".join(lines)
        assert all("an-intervention/" in line and " 3/" in line for line in slots)
        arms = [line.split()[0] for line in lines if line.startswith(("arm", "baseline"))]
        assert arms == ["arm", "baseline", "arm-3", "arm-2", "arm-1"], "\n".join(lines)


def test_a_terminal_that_was_too_low_shows_nothing_twice_when_it_grows(tmux: Tmux) -> None:
    tmux.wait_for(is_drawn_for(120, slots=8))
    tmux.resize(80, 9)
    lines = tmux.wait_for(lambda lines: any("and 5 more runs" in line for line in lines))
    assert bar(lines)
    assert [line.split()[1] for line in lines if line.startswith("cpu ")] == ["0", "1", "2"]
    tmux.resize(120, 40)
    lines = tmux.wait_for(is_drawn_for(120, slots=8))
    assert len([line for line in lines if "FAILED: an outcome" in line]) == 1
    assert len([line for line in lines if line.startswith("arm ")]) == 1


def test_nothing_is_left_of_the_display_at_the_end_though_the_terminal_echoes_keys(
    tmux: Tmux,
) -> None:
    tmux.wait_for(is_drawn_for(120, slots=8))
    tmux.call("send-keys", "-l", "^C")  # as a terminal echoes Ctrl-C
    tmux.wait_for(lambda lines: any(line.endswith("^C") for line in lines))
    tmux.call("send-keys", "C-d", "C-d")  # the first one ends the line
    lines = tmux.wait_for(lambda lines: not any("cpu 0" in line for line in lines))
    assert any("FAILED: an outcome" in line for line in lines)
    assert not any(line.startswith(("runs ", "arm ")) for line in lines), "\n".join(lines)
