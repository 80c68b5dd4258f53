"""Output and files of a script that nobody expects: no end, no number, no file."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.trainer.scripts import MakeScript
from trainer.errors import CommandError
from trainer.rundir.directory import RunDirectory
from trainer.rundir.exits import Exit
from trainer.scripts import search_limit, written_files
from trainer.scripts.curves import Curves
from trainer.scripts.output import MetricReader
from trainer.scripts.request import MetricSource


def test_a_whole_number_that_no_float_holds_is_a_divergence(script: MakeScript) -> None:
    made = script(
        """
        import os
        print('{"other": 1' + "0" * 400 + '}')
        open(os.environ["SWEEP_RESULT"], "w").write('{"val_loss": -1' + "0" * 400 + '}')
        """,
        metrics={"val_loss": {}, "other": {"line": "other"}},
    )
    made.run()
    assert made.result.state == "diverged"
    assert made.result.cause == "val_loss is infinite"


def test_a_metric_whose_squares_overflow_is_a_divergence(script: MakeScript) -> None:
    made = script("print('val loss 17' + 300 * '0')")
    made.run()
    assert made.result.state == "diverged"
    assert made.result.cause == "val_loss is 1.7e+301, beyond ±1e+100"
    assert made.result.metrics == {}


@pytest.mark.parametrize("made_of", ["mkfifo({})", "mkdir({})", "symlink('/dev/zero', {})"])
def test_a_result_that_is_no_file_is_a_failure_and_is_removed_for_the_next_attempt(
    script: MakeScript, made_of: str
) -> None:
    made = script(
        f"""
        import os
        path = os.environ["SWEEP_RESULT"]
        if os.environ["SWEEP_ATTEMPT"] == "1":
            os.{made_of.format("path")}
            os.{made_of.format("os.environ['SWEEP_RUN_DIR'] + '/metrics.jsonl'")}
        print("val loss 2")
        """
    )
    assert made.run()["status"] == Exit.FAILED
    assert "metrics.json is no file" in made.reason
    made.run()
    assert made.result.metrics == {"val_loss": 2.0}


def test_a_result_of_gigabytes_is_not_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(written_files, "MAX_JSON_BYTES", 10)
    file = tmp_path / "metrics.json"
    file.write_text('{"a": 1}')
    assert written_files.read_object(file) == {"a": 1}
    file.write_text('{"a": 1000}')
    with pytest.raises(written_files.RunDirectoryError, match="has 11 bytes, and at most 10"):
        written_files.read_object(file)


def test_an_expression_that_takes_forever_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(search_limit, "SEARCH_SECONDS", 0.2)
    metrics = {"val_loss": MetricSource(regex="(?P<value>(a+)+)$")}
    reader = MetricReader(metrics, Curves(RunDirectory(tmp_path), metrics))
    began = time.monotonic()
    reader.read(b"quick\n")
    with pytest.raises(CommandError, match=r"0\.2 s were not enough .* for '\(\?P<value>\(a\+\)"):
        reader.read(b"a" * 60 + b"!\n")
    assert time.monotonic() < began + 30
