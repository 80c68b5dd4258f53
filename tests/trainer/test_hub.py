"""Datasets of the hub, where it refuses or cannot be reached; the server is one of our own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

CODE = """
import sys
from pathlib import Path
from trainer.catalogue import find_source
from trainer.errors import CorpusError
from trainer.recipe import DataConfig
data = DataConfig(corpus=sys.argv[1])
try:
    source = find_source(data, Path(sys.argv[2]), online=True)
    print(source.origin().revision)
except CorpusError as error:
    print(error)
print(*sorted({"datasets", "huggingface_hub"} & set(sys.modules)))
"""
COMMIT = "a" * 40


class Hub(BaseHTTPRequestHandler):
    """Answers as the hub does: one dataset that is open, one gated, and no other."""

    def do_GET(self) -> None:
        name = self.path.split("/api/datasets/")[-1].split("?")[0].split("/revision")[0]
        if name == "some/open":
            return self._answer(200, {"id": name, "sha": COMMIT, "siblings": []})
        code = "GatedRepo" if name == "some/gated" else "RepoNotFound"
        return self._answer(403 if code == "GatedRepo" else 404, {"error": code}, code)

    def _answer(self, status: int, content: object, code: str | None = None) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if code:
            self.send_header("X-Error-Code", code)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture(scope="module")
def hub() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def find(root: Path, cache: Path, name: str, **environment: str) -> list[str]:
    quiet = {
        k: v for k, v in os.environ.items() if not k.startswith("HF_") and "proxy" not in k.lower()
    }
    done = subprocess.run(
        [sys.executable, "-c", CODE, name, str(cache)],
        cwd=root,
        env={**quiet, "HF_HOME": str(cache / "home"), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.splitlines()


def test_a_gated_dataset_without_a_login_is_refused_with_a_sentence(
    root: Path, tmp_path: Path, hub: str
) -> None:
    assert find(root, tmp_path, "some/gated", HF_ENDPOINT=hub)[0] == (
        f"data.corpus = 'some/gated': this dataset is gated; accept its terms at "
        f"{hub}/datasets/some/gated, then log in with `hf auth login` or set HF_TOKEN"
    )


def test_a_dataset_that_there_is_not_is_refused_with_a_sentence(
    root: Path, tmp_path: Path, hub: str
) -> None:
    assert find(root, tmp_path, "some/other", HF_ENDPOINT=hub)[0] == (
        "data.corpus = 'some/other': there is no such dataset on the Hugging Face Hub, or it is "
        "private; check the name, or log in with `hf auth login`"
    )


def test_a_dataset_is_looked_up_once_and_then_known_by_its_commit(
    root: Path, tmp_path: Path, hub: str
) -> None:
    assert find(root, tmp_path, "some/open", HF_ENDPOINT=hub)[0] == COMMIT
    again = find(root, tmp_path, "some/open", HF_ENDPOINT="http://127.0.0.1:9")
    assert again == [COMMIT, ""], "nobody is asked, and nothing heavy imported"


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({"HF_ENDPOINT": "http://127.0.0.1:9"}, "http://127.0.0.1:9 could not be reached ("),
        ({"HF_HUB_OFFLINE": "1"}, "it cannot be read from the hub, as HF_HUB_OFFLINE is set; "),
    ],
)
def test_without_a_network_a_sentence_says_within_ten_seconds_what_works(
    root: Path, tmp_path: Path, environment: dict[str, str], reason: str
) -> None:
    began = time.monotonic()
    said = find(root, tmp_path, "some/open", **environment)[0]
    assert time.monotonic() - began < 10
    assert said.startswith(f"data.corpus = 'some/open': {reason}")
    assert said.endswith(
        "what works offline: python-stdlib, local files, and corpora that `sweep data list` shows"
    )
