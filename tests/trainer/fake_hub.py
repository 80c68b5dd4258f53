"""A hub of our own on this machine: it answers what the hub's libraries ask, from a folder.

Datasets lie in `FOLDER/OWNER/NAME/`. A dataset of the owner `gated` is described, and its files
are refused, as on the hub.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

COMMIT = "a" * 40


class Hub(BaseHTTPRequestHandler):
    """The end points that `datasets` and `huggingface_hub` use to read a dataset."""

    protocol_version = "HTTP/1.1"

    def __init__(self, folder: Path, *arguments: object) -> None:
        self._folder = folder
        super().__init__(*arguments)  # type: ignore[arg-type]  (request, address and server)

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        if found := re.fullmatch(r"/api/datasets/([\w-]+/[\w-]+)(/revision/\w+)?", path):
            self._describe(found[1])
        elif found := re.fullmatch(r"/api/datasets/([\w-]+/[\w-]+)/tree/\w+/?(.*)", path):
            self._list(self._folder / found[1], found[2])
        elif found := re.fullmatch(r"/datasets/([\w-]+/[\w-]+)/resolve/\w+/(.+)", path):
            self._file(self._folder / found[1] / found[2], gated=found[1].startswith("gated/"))
        else:
            self._refuse(404, "RepoNotFound")

    def do_HEAD(self) -> None:
        self.do_GET()

    def _describe(self, name: str) -> None:
        folder = self._folder / name
        if not folder.is_dir():
            return self._refuse(404, "RepoNotFound")
        files = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
        siblings = [{"rfilename": path.as_posix()} for path in files]
        return self._json({"id": name, "sha": COMMIT, "siblings": siblings})

    def _list(self, folder: Path, below: str) -> None:
        if not (folder / below).is_dir():
            return self._refuse(404, "EntryNotFound")
        deep = "recursive=true" in self.path.lower()
        paths = sorted((folder / below).rglob("*") if deep else (folder / below).iterdir())
        return self._json([_entry(path, folder) for path in paths])

    def _file(self, path: Path, *, gated: bool) -> None:
        if gated:
            return self._refuse(403, "GatedRepo")
        if not path.is_file():
            return self._refuse(404, "EntryNotFound")
        content = path.read_bytes()
        headers = {"ETag": f'"{sha256(content).hexdigest()}"', "X-Repo-Commit": COMMIT}
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if not wanted:
            return self._answer(200, content, headers)
        first, last = int(wanted[1]), min(int(wanted[2] or len(content)), len(content) - 1)
        headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
        return self._answer(206, content[first : last + 1], headers)

    def _json(self, content: object) -> None:
        self._answer(200, json.dumps(content).encode(), {"Content-Type": "application/json"})

    def _refuse(self, status: int, code: str) -> None:
        self._answer(status, b"{}", {"Content-Type": "application/json", "X-Error-Code": code})

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        pass


def _entry(path: Path, folder: Path) -> dict[str, object]:
    entry: dict[str, object] = {"path": path.relative_to(folder).as_posix(), "oid": "b" * 40}
    return (
        {**entry, "type": "file", "size": path.stat().st_size}
        if path.is_file()
        else {
            **entry,
            "type": "directory",
        }
    )


@contextmanager
def serve(folder: Path, hub: type[Hub] = Hub) -> Iterator[str]:
    """A hub with what lies in a folder; its address, for HF_ENDPOINT."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(hub, folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def silent_name_server(folder: Path) -> Iterator[list[str]]:
    """A prefix for a command that gives it a name server which never answers."""
    alone = ["unshare", "-m", "sh", "-c", 'mount --bind "$0" /etc/resolv.conf && exec "$@"']
    if os.geteuid() or subprocess.run(["unshare", "-m", "true"], check=False).returncode:
        pytest.skip("this test needs root and `unshare`, to give a process its own name server")
    address = f"127.{os.getpid() // 256 % 256}.{os.getpid() % 256}.53"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((address, 53))
        (folder / "resolv.conf").write_text(f"nameserver {address}\n")
        yield [*alone, str(folder / "resolv.conf")]
