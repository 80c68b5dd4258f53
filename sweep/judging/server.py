"""A chat server that speaks OpenAI's protocol: requests, retries, and what its errors mean."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sweep.errors import JudgeError, JudgeFailedError
from sweep.judging.prompts import FORMAT
from sweep.study.evaluation_section import JudgeSettings
from sweep.terminal.printable import printable

MAX_REPLY_BYTES = 2**24
MAX_TOKENS = 10**9
"""Most tokens that a reply may say it took: another number would pass by the budget."""
MAX_WAIT = 60.0
"""Longest wait in seconds before a request is sent again, whatever the server asks for."""
BAD_REQUEST, REFUSED, NOT_FOUND = frozenset({400, 422}), frozenset({401, 403}), 404
PASSING = frozenset({408, 409, 425, 429, 500, 502, 503, 504, *range(520, 525), 529})
"""Statuses after which the same request may succeed later: busy, failing, or a proxy in front of it that
does not reach it (520 to 524 are Cloudflare's)."""
MAX_QUOTED = 200


@dataclass(frozen=True)
class Reply:
    """A model's reply."""

    content: str
    model: str
    """The model by the server's own name, which may say its version."""
    prompt_tokens: int
    """0 if the server does not say."""
    reply_tokens: int


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Follows no redirect, which would send the key to another server."""

    def redirect_request(self, *_args: Any, **_kwargs: Any) -> None:  # noqa: ANN401  (urllib's own)
        return None


@dataclass
class Server:
    """Sends requests from several threads. The key is only ever in the header of a request."""

    settings: JudgeSettings
    key: str | None = field(repr=False)
    stopping: threading.Event = field(default_factory=threading.Event)
    """Once set, nothing is sent again."""
    _extras: tuple[str, ...] = ("response_format", "temperature")
    """Fields that some servers refuse, and that a request can do without."""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _next_start: float = 0.0

    def ask(self, messages: Sequence[Mapping[str, str]]) -> Reply:
        """Send a chat and return the reply.

        Raises JudgeFailedError if this request gets none, JudgeError if no other will.
        """
        wait = self.settings.retry_seconds
        for attempt in range(1, self.settings.tries + 1):
            try:
                return self._send(messages)
            except _PassingError as error:
                if attempt == self.settings.tries or self.stopping.is_set():
                    raise JudgeFailedError(f"{self._where} {error}") from error
                self.stopping.wait(min(MAX_WAIT, max(wait, error.wait)))
                wait *= 2
        raise AssertionError

    @property
    def _where(self) -> str:
        return f"the judge at {self.settings.base_url}"

    def _send(self, messages: Sequence[Mapping[str, str]]) -> Reply:
        """Send it once, again without a field that the server does not know."""
        while True:
            extras = self._extras
            try:
                return self._post(messages, extras)
            except _BadRequestError as error:
                if not extras:
                    raise JudgeFailedError(f"{self._where} refuses a request: {error}") from error
                with self._lock:
                    if self._extras == extras:  # else another thread has learned it just now
                        self._extras = extras[1:]

    def _post(self, messages: Sequence[Mapping[str, str]], extras: Sequence[str]) -> Reply:
        optional = {"response_format": FORMAT, "temperature": 0}
        fields = {"model": self.settings.model, "messages": list(messages)}
        body = json.dumps({**fields, **{name: optional[name] for name in extras}}).encode()
        headers = {"Content-Type": "application/json", "User-Agent": "gpt-sweep"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        url = f"{self.settings.base_url}/chat/completions"
        request = urllib.request.Request(url, body, headers, method="POST")  # noqa: S310  (http, checked)
        self._keep_rate()
        try:
            with _OPENER.open(request, timeout=self.settings.timeout) as response:
                content = _read(response, time.monotonic() + self.settings.timeout)
        except urllib.error.HTTPError as error:
            with error:
                raise self._meaning(error) from error
        except (OSError, http.client.HTTPException) as error:
            raise _PassingError(f"does not answer ({_reason(error)})") from error
        return self._parse(content)

    def _keep_rate(self) -> None:
        """Wait until the next request may begin."""
        if self.settings.requests_per_minute is None:
            return
        with self._lock:
            start = max(time.monotonic(), self._next_start)
            self._next_start = start + 60 / self.settings.requests_per_minute
        self.stopping.wait(max(0.0, start - time.monotonic()))

    def _meaning(self, error: urllib.error.HTTPError) -> Exception:
        """The exception for a status that is not 200."""
        status, said = error.code, self._quoted(error)
        if status in PASSING:
            return _PassingError(f"answers with status {status}{said}", _retry_after(error))
        if status in BAD_REQUEST:
            return _BadRequestError(f"status {status}{said}")
        if status in REFUSED:
            return JudgeError(
                f"{self._where} refuses the key in ${self.settings.key_variable} (status "
                f"{status}{said}); set a valid one, or name another variable with "
                "--set judge.key_variable=NAME"
            )
        if status == NOT_FOUND:
            return JudgeError(
                f"{self._where} has no /chat/completions or no model {self.settings.model!r} (status "
                f"404{said}); check judge.base_url, which often ends in /v1, and judge.model"
            )
        return JudgeError(f"{self._where} answers with status {status}{said}; check judge.base_url")

    def _quoted(self, error: urllib.error.HTTPError) -> str:
        """The server's own words, without the key, for a sentence."""
        with contextlib.suppress(OSError, http.client.HTTPException):
            text = error.read(MAX_REPLY_BYTES).decode(errors="replace")
            with contextlib.suppress(ValidationError):
                text = _ErrorReply.model_validate_json(text).error.message
            if self.key:
                text = text.replace(self.key, "…")
            short = printable(" ".join(text.split()))[:MAX_QUOTED]
            return f": {short}" if short else ""
        return ""

    def _parse(self, content: bytes) -> Reply:
        """Raises JudgeError if the server does not speak the protocol at all."""
        try:
            completion = _Completion.model_validate_json(content)
        except ValidationError as error:
            kind = "HTML" if content.lstrip()[:1] == b"<" else "something"
            raise JudgeError(
                f"{self._where} answers with {kind} that is not a chat completion in JSON; check "
                "judge.base_url, which often ends in /v1"
            ) from error
        usage = completion.usage or _Usage()
        version = filter(None, [completion.model, completion.system_fingerprint])
        return Reply(
            content=completion.choices[0].message.content or "",
            model=" ".join(version),
            prompt_tokens=usage.prompt_tokens,
            reply_tokens=usage.completion_tokens,
        )


class _Sent(BaseModel):
    """A part of what a server sends; fields that are not used are ignored."""

    model_config = ConfigDict(extra="ignore")


class _Message(_Sent):
    content: str | None


class _Choice(_Sent):
    message: _Message


class _Usage(_Sent):
    prompt_tokens: int = Field(default=0, ge=0, le=MAX_TOKENS)
    completion_tokens: int = Field(default=0, ge=0, le=MAX_TOKENS)


class _Completion(_Sent):
    choices: list[_Choice] = Field(min_length=1)
    model: str | None = None
    system_fingerprint: str | None = None
    usage: _Usage | None = None


class _Error(_Sent):
    message: str


class _ErrorReply(_Sent):
    error: _Error


_OPENER = urllib.request.build_opener(_NoRedirects)


class _PassingError(Exception):
    """The same request may succeed later."""

    def __init__(self, message: str, wait: float = 0.0) -> None:
        super().__init__(message)
        self.wait = wait
        """Seconds that the server asks to wait."""


class _BadRequestError(Exception):
    """The server does not take a request of this form."""


def _read(response: http.client.HTTPResponse, deadline: float) -> bytes:
    """Read a reply. Raises TimeoutError if it drips in for too long."""
    pieces: list[bytes] = []
    while piece := response.read1(2**16):
        pieces.append(piece)
        if time.monotonic() > deadline or sum(map(len, pieces)) > MAX_REPLY_BYTES:
            raise TimeoutError("its reply takes too long or is too large")
    return b"".join(pieces)


def _reason(error: Exception) -> str:
    reason = getattr(error, "reason", error)
    return str(getattr(reason, "strerror", None) or reason or type(error).__name__)


def _retry_after(error: urllib.error.HTTPError) -> float:
    """Seconds that the server asks to wait; 0 if it does not say."""
    try:
        return max(0.0, float(error.headers.get("Retry-After") or 0))
    except ValueError:  # a date
        return 0.0
