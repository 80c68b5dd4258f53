"""`sweep serve`: a real server on this machine, asked over HTTP."""

from __future__ import annotations

import csv
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest
from rich.console import Console
from sqlalchemy import update

from sweep.commands.import_ import ImportRequest, import_results
from sweep.errors import ResultsError
from sweep.figures.source import Source
from sweep.pages.render import render
from sweep.serving.overview import MAX_LOG, run_page, study_page
from sweep.serving.study_pages import MAX_AGE, StudyPages
from sweep.store.schema import runs
from sweep.store.states import RunState
from sweep.store.store import Store
from sweep.verdicts.judge import Report
from sweep.workspace import Workspace
from tests.patience import PATIENCE
from tests.sweep.hand_clock import HandClock

pytest.importorskip("uvicorn", reason="the extra `serve` is not installed")
ADDRESS = re.compile(r"http://(127\.0\.0\.1):(\d+)(/[\w-]{20,}/)")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, str]]:
    """Port and first path of a running server."""
    folder = tmp_path_factory.mktemp("serve")
    with (folder / "r.csv").open("w") as file:
        rows = [(arm, seed, 2 + seed**2 / 9) for arm in ("baseline", "<b>") for seed in range(4)]
        csv.writer(file).writerows([("arm", "seed", "loss"), *rows])
    made = Workspace(folder / "runs")
    import_results(made, ImportRequest(files=[folder / "r.csv"], study="x"), Console(quiet=True))
    process = subprocess.Popen(
        [sys.executable, "-m", "sweep", "serve", "--runs", str(folder / "runs")],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    printed = "".join(process.stdout.readline() for _ in range(2))
    found = ADDRESS.search(printed)
    assert found, printed
    yield int(found[2]), found[3]
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=PATIENCE)
    assert process.returncode in {0, 130}


def ask(port: int, path: str, host: str = "127.0.0.1", method: str = "GET") -> tuple[int, str]:
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    connection.request(method, path, headers={"Host": f"{host}:{port}"})
    answer = connection.getresponse()
    found = answer.status, answer.read().decode()
    connection.close()
    return found


def test_studies_lead_to_a_report_and_a_report_to_its_runs(server: tuple[int, str]) -> None:
    port, root = server
    status, text = ask(port, root)
    assert (status, 'href="studies/x"' in text) == (200, True)
    status, text = ask(port, f"{root}studies/x")
    assert status == 200
    assert "&lt;b&gt;/3" in text
    assert 'href="x/arms/%3Cb%3E"' in text
    status, arm = ask(port, f"{root}studies/x/arms/%3Cb%3E")
    assert (status, "How the verdict came:" in arm) == (200, True)
    assert re.findall(r'href="\.\./\.\./\.\./(runs/[^"]+)"', arm)
    assert 'href="../../x"' in arm
    [first, *_] = re.findall(r'href="\.\./(runs/[^"]+)"', text)
    status, text = ask(port, f"{root}{first}")
    assert (status, "<dt>Loss</dt><dd>2</dd>" in text) == (200, True)
    assert 'href="../studies/x"' in text
    assert 'href="../studies/x/arms/baseline"' in text
    assert "Test loss" not in text  # the file has a column `loss`, of no known unit
    assert "nats" not in text


def test_only_who_knows_the_token_gets_an_answer_and_only_to_reading(
    server: tuple[int, str],
) -> None:
    port, root = server
    assert ask(port, "/") == (404, "Not Found")
    assert ask(port, f"/{'x' * 22}/studies/x")[0] == 404
    assert ask(port, root, host="evil.example")[0] == 400
    assert ask(port, root, method="POST")[0] == 405
    for path in ("runs/..%2f..%2fetc%2fpasswd", "studies/%2e%2e", "runs/%00", "runs/%ff"):
        assert ask(port, f"{root}{path}")[0] == 404
    assert ask(port, "/%ff%00/")[0] == 404
    status, text = ask(port, f"{root}studies/y")
    assert status == 404
    assert "has no study &#39;y&#39;" in text
    status, text = ask(port, f"{root}studies/x/arms/y")
    assert (status, "has no arm &#39;y&#39;" in text) == (404, True)


def test_a_study_that_cannot_be_judged_shows_its_runs_and_why(
    filled: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_source: Source) -> Report:
        raise ResultsError("guard `speed` = '-5%': a bound in percent needs values above zero")

    monkeypatch.setattr(Source, "report", property(fail))
    page = study_page(filled, filled.study("tiny"))
    assert page.warnings == ["guard `speed` = '-5%': a bound in percent needs values above zero"]
    assert [section.title for section in page.sections] == ["Arms", "Runs"]
    assert "baseline/1" in render(page)


def test_a_page_is_made_again_when_a_run_has_ended_and_after_a_minute(filled: Store) -> None:
    clock = HandClock()
    pages, study = StudyPages(clock.monotonic), filled.study("tiny")
    first = pages.html(filled, study)
    assert pages.html(filled, study) is first
    queued = next(each.run for each in filled.study_runs("tiny") if each.run.state == "queued")
    with filled.write() as connection:
        change = update(runs).where(runs.c.id == queued.id)
        connection.execute(change.values(state=RunState.RUNNING))
    second = pages.html(filled, study)
    assert (first.count(">running<"), second.count(">running<")) == (0, 1)
    clock.pass_seconds(MAX_AGE)
    assert pages.html(filled, study) is not second


def shown_log(store: Store, log: bytes) -> str:
    """The page of a run that has printed this."""
    run = store.study_runs("tiny")[0].run
    assert store.ledger
    file = store.ledger.run(run.id).log
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(log)
    return render(run_page(store, run.id))


def test_of_a_large_log_the_end_is_shown_in_whole_lines(filled: Store) -> None:
    shown = shown_log(filled, b"its beginning\n" + "ä".encode() * MAX_LOG + b"last")
    assert "last</span></pre>" in shown
    assert "its beginning" not in shown
    shown = shown_log(filled, b"".join(b"step %d\n" % step for step in range(40_000)))
    assert re.search("<span>step [0-9]+\n", shown)
    assert "This is the end of 428.9 kB; <code>sweep log " in shown
    assert "This is the end" not in shown_log(filled, b"short")


def test_a_log_is_shown_as_a_terminal_shows_it_and_its_markup_is_text(filled: Store) -> None:
    shown = shown_log(
        filled, b" 10%\r 90%\r100%\n\x1b[31m<b>red</b>\x1b[0m \x07\x00&amp;\r\n</pre>"
    )
    assert "<span>100%\n&lt;b&gt;red&lt;/b&gt; &amp;amp;\n&lt;/pre&gt;</span></pre>" in shown


def test_a_port_that_is_taken_is_a_sentence(server: tuple[int, str], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sweep", "serve", "--port", str(server[0]), "--runs", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
