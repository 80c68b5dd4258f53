"""A preparation that is killed is continued by the next one, to the same bytes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.patience import PATIENCE
from tests.trainer.texts import (
    TEXTS,
    prepare,
    write_folder,
)
from trainer.corpora.prepare import prepare_corpus
from trainer.recipe import DataConfig
from trainer.sources.catalogue import find_source

SLOW = """
import sys, time
from pathlib import Path
import trainer.corpora.prepare as prepare
from trainer.sources.catalogue import find_source
from trainer.errors import CorpusError
from trainer.recipe import DataConfig
prepare.SAVE_SECONDS = 0.0
cache = Path(sys.argv[2])
data = DataConfig(corpus=sys.argv[1])
def report(progress, share):
    print(progress.documents, flush=True)
    time.sleep(float(sys.argv[3]))
print(prepare.prepare_corpus(data, find_source(data, cache), cache, report).info.hash, flush=True)
"""


def start(root: Path, corpus: Path, cache: Path, pause: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", SLOW, str(corpus), str(cache), str(pause)]
    return subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_after_a_kill_the_next_preparation_continues_and_ends_with_the_same_bytes(
    root: Path, tmp_path: Path
) -> None:
    corpus = write_folder(tmp_path / "folder", TEXTS)
    whole = prepare(corpus, tmp_path / "whole").info.folder
    process = start(root, corpus, tmp_path / "cache", 0.01)
    assert process.stdout
    for line in process.stdout:
        if int(line) >= 20:
            break
    process.send_signal(signal.SIGKILL)
    process.communicate()
    [aside] = (tmp_path / "cache").iterdir()
    done = json.loads((aside / "progress.json").read_bytes())["documents"]
    assert 0 < done < 300
    seen: list[int] = []
    data = DataConfig(corpus=str(corpus))
    source = find_source(data, tmp_path / "cache")
    prepare_corpus(data, source, tmp_path / "cache", lambda p, _: seen.append(p.documents))
    assert seen[0] == done
    assert contents(tmp_path / "cache" / whole) == contents(tmp_path / "whole" / whole)
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [whole]


@pytest.mark.slow
def test_of_two_processes_one_prepares_and_the_other_takes_over_when_it_dies(
    root: Path, tmp_path: Path
) -> None:
    corpus = write_folder(tmp_path / "folder", TEXTS)
    first = start(root, corpus, tmp_path / "cache", 0.02)
    assert first.stdout
    first.stdout.readline()
    second = start(root, corpus, tmp_path / "cache", 0.0)
    time.sleep(0.5)
    first.kill()
    first.communicate()
    said = second.communicate(timeout=PATIENCE)[0].split()
    assert second.returncode == 0
    assert said[-1] == prepare(corpus, tmp_path / "cache").info.hash
    assert len(list((tmp_path / "cache").iterdir())) == 1
