"""A time limit for calls that may hang: name servers and connections have timeouts of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
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


def interruptible(work: Callable[[Iterator[str]], object], texts: Iterable[str]) -> None:
    """Call `work(texts)` in a thread, so that Ctrl-C is noticed while a library computes.

    After Ctrl-C the texts end, and the library's work goes on by itself until the process ends.
    """
    is_over = threading.Event()
    errors: list[BaseException] = []

    def until_over() -> Iterator[str]:
        for text in texts:
            if is_over.is_set():
                return
            yield text

    def run() -> None:
        try:
            work(until_over())
        except BaseException as error:  # noqa: BLE001  (raised again in the calling thread)
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        thread.join()
    finally:
        is_over.set()
    if errors:
        raise errors[0]
