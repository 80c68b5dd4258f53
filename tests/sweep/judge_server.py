"""A chat server on this machine that speaks OpenAI's protocol, well or badly."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Self


class Sent(NamedTuple):
    """What a server sends back."""

    body: str
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()


class Asked(NamedTuple):
    """A request that a server has received."""

    number: int
    """From 1."""
    fields: dict[str, Any]
    headers: dict[str, str]

    @property
    def content(self) -> dict[str, Any]:
        """The item and the answers, as the judge model sees them."""
        return dict(json.loads(self.fields["messages"][1]["content"]))


Behave = Callable[[Asked], Sent]


def chat(content: str, model: str = "judge-1") -> Sent:
    """A chat completion."""
    message = {"choices": [{"message": {"role": "assistant", "content": content}}]}
    usage = {"usage": {"prompt_tokens": 1000, "completion_tokens": 100}}
    return Sent(json.dumps({"model": model, **message, **usage}))


def scores(asked: Asked, score: Callable[[str], float]) -> str:
    """The reply of a judge that scores each answer by its text."""
    listed = [
        {"label": each["label"], "score": score(each["answer"])}
        for each in asked.content["answers"]
    ]
    return json.dumps({"scores": listed})


def by_length(asked: Asked) -> Sent:
    """A good judge: the longer an answer, the better."""
    return chat(scores(asked, lambda text: min(100, len(text))))


class JudgeServer:
    """Serves in a thread; `behave` decides what is sent back."""

    def __init__(self, behave: Behave = by_length) -> None:
        self.behave = behave
        self.asked: list[Asked] = []
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                size = int(self.headers["Content-Length"])
                sent = outer.answer(json.loads(self.rfile.read(size)), dict(self.headers))
                self.send_response(sent.status)
                for name, value in (
                    ("Content-Length", str(len(sent.body.encode()))),
                    *sent.headers,
                ):
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(sent.body.encode())

            def log_message(self, *_args: object) -> None:
                """Nothing is printed."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), daemon=True
        )

    @property
    def url(self) -> str:
        """Its `base_url`."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def answer(self, fields: dict[str, Any], headers: dict[str, str]) -> Sent:
        with self._lock:
            asked = Asked(len(self.asked) + 1, fields, headers)
            self.asked.append(asked)
        return self.behave(asked)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
