"""A time limit for calls that may hang: name servers and connections have timeouts of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

NETWORK_TIMEOUT = 6.0
"""Seconds to wait for the first answer of the network: a command ends within ten, start included."""


def call_within(seconds: float, ask: Callable[[], T]) -> T:
    """Call `ask` in a thread; returns or raises as it does.

    Raises TimeoutError after `seconds`; the thread then goes on by itself.
    """
    answers: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            answers.append(ask())
        except BaseException as error:  # noqa: BLE001  (raised again in the calling thread)
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not answers:
        raise TimeoutError(f"no answer within {seconds:g} s")
    return answers[0]
