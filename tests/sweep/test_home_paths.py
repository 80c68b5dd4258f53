"""`~` is the user's home wherever a command takes a path: no shell expands it in `--runs=~/x`."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from sweep.cli import main


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of the user: an empty folder."""
    monkeypatch.setenv("HOME", str(tmp_path / "ada"))
    (tmp_path / "ada").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path / "ada"


@pytest.mark.parametrize(
    "words",
    [
        "init ~/x.toml",
        "plan ~/x.toml",
        "run ~/x.toml",
        "data prepare ~/x.toml",
        "data list --runs=~/x",
        "report -o ~/x.unknown",
        "report --runs=~/x",
        "status --runs ~/x",
        "status --db=sqlite:///~/x.db",
        "import ~/x.csv --study y",
        "backup ~/x.db --runs=~/x",
        "export clip/1 --to ~/x --runs=~/x",
    ],
)
def test_a_tilde_is_the_home_in_every_path(
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: str,
) -> None:
    monkeypatch.setattr(sys, "argv", ["sweep", *words.split()])
    with pytest.raises(SystemExit):
        main()
    said = "".join(capsys.readouterr()).replace("\n", "")
    assert f"{home}/x" in said
    assert "~" not in said
    assert not Path("~").exists()
