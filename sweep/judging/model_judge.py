"""The judge `openai`: a model behind any server that speaks OpenAI's chat protocol."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from sweep.errors import JudgeError, JudgeFailedError, StudyError
from sweep.judging.judge import Judged, Panel, Score
from sweep.judging.prompts import Prompt, make_prompts
from sweep.judging.reply_cache import ReplyCache
from sweep.judging.server import Reply, Server
from sweep.judging.spending import Spending, estimated_tokens
from sweep.study.evaluation_section import JudgeSettings
from trainer.words import capitalized, counted

NO_KEY = "none"
MOST_FAILURES = 3
"""Requests in a row without a reply, after which no other is sent."""


class ModelJudge:
    """Asks a model for the scores of all arms' answers to an item at once."""

    def __init__(self, settings: JudgeSettings, runs: Path) -> None:
        self._settings = settings
        self._cache = ReplyCache(runs, settings)
        self._models: set[str] = set()
        """The models that the server says have replied."""

    @property
    def facts(self) -> Mapping[str, Any]:
        settings = self._settings
        return {
            "judge": "openai",
            "model": settings.model,
            "base_url": settings.base_url,
            "repeats": settings.repeats,
            "replied": sorted(self._models),
        }

    def check(self) -> None:
        settings = self._settings
        if settings.model is None:
            raise StudyError("the judge 'openai' needs a model; add --set judge.model=NAME")
        if settings.budget is not None and None in {settings.price_input, settings.price_output}:
            raise StudyError(
                "judge.budget needs judge.price_input and judge.price_output, in dollars per million "
                "tokens; set both, or leave out the budget"
            )
        self._key()

    def _key(self) -> str | None:
        """The key. Raises StudyError if its variable is not set."""
        name = self._settings.key_variable
        if name == NO_KEY:
            return None
        key = os.environ.get(name, "").strip()
        if not key or not key.isascii() or not key.isprintable():
            raise StudyError(
                f"the environment variable {name} does not hold the key of "
                f"{self._settings.base_url}; set it, name another one with "
                "--set judge.key_variable=NAME, or set that to none for a server without keys"
            )
        return key

    def announce(self, panels: Sequence[Panel]) -> str | None:
        prompts = make_prompts(panels, self._settings.repeats)
        unknown = [prompt for prompt in prompts if self._cache.find(prompt) is None]
        if not unknown:
            return None
        asked, replied = map(sum, zip(*map(estimated_tokens, unknown), strict=True))
        known = len(prompts) - len(unknown)
        return (
            f"Asking {self._settings.model} at {self._settings.base_url} "
            f"{counted(len(unknown), 'time')}"
            f"{f' ({known} replies are known)' if known else ''}: about {asked:,} tokens of prompts "
            f"and {replied:,} of replies, {self._cost_words(asked, replied)}."
        )

    def _cost_words(self, asked: int, replied: int) -> str:
        settings = self._settings
        if settings.price_input is None or settings.price_output is None:
            return "at a cost that is unknown without judge.price_input and judge.price_output"
        limit = f" (judge.budget: ${settings.budget:g})" if settings.budget else ""
        return f"about ${Spending(settings).price(asked, replied):.4f}{limit}"

    def score(self, panels: Sequence[Panel], advanced: Callable[[int, int], None]) -> Judged:
        work = _Work(Server(self._settings, self._key()), self._cache, Spending(self._settings))
        prompts, judged = make_prompts(panels, self._settings.repeats), work.judged
        judged.prompts = len(prompts)
        with ThreadPoolExecutor(self._settings.concurrency) as pool:
            try:
                for done, (prompt, reply) in enumerate(
                    zip(prompts, pool.map(work.reply, prompts), strict=True), 1
                ):
                    if reply is not None:
                        self._models |= {reply.model} - {""}
                    judged.scores += _scores(prompt, reply)
                    advanced(done, len(prompts))
            except BaseException:
                work.server.stopping.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        judged.spent = work.spending.spent
        return judged


class _Work:
    """What the threads share while they ask."""

    def __init__(self, server: Server, cache: ReplyCache, spending: Spending) -> None:
        self.server, self.cache, self.spending = server, cache, spending
        self.judged = Judged()
        self._lock = threading.Lock()
        self._failures = 0

    def reply(self, prompt: Prompt) -> Reply | None:
        """A reply that can be read; None if there is none."""
        if known := self.cache.find(prompt):
            return known
        if self.judged.stopped is None and not self.spending.reserve(prompt):
            self._stop(f"The budget of ${self.spending.settings.budget:g} is spent.")
        if self.judged.stopped is not None:
            self._count(left=1)
            return None
        reply = None
        try:
            reply = self.server.ask(prompt.messages)
        except JudgeFailedError as error:
            self._count_failure(error)
        except JudgeError as error:
            self._stop(f"{error}.")
            self._count(left=1)
            return None
        finally:
            self.spending.settle(prompt, reply)
        return self._checked(prompt, reply)

    def _checked(self, prompt: Prompt, reply: Reply | None) -> Reply | None:
        """Keep a reply that can be read; count one that cannot."""
        if reply is None or prompt.read(reply.content) is None:
            self._count(unreadable=1, asked=int(reply is not None))
            return None
        self._count(asked=1)
        self.cache.keep(prompt, reply)
        return reply

    def _count(self, *, left: int = 0, unreadable: int = 0, asked: int = 0) -> None:
        with self._lock:
            self.judged.left += left
            self.judged.unreadable += unreadable
            self.judged.asked += asked
            if asked:
                self._failures = 0

    def _count_failure(self, error: JudgeFailedError) -> None:
        with self._lock:
            self._failures += 1
            failures = self._failures
        if failures >= MOST_FAILURES:
            self._stop(f"{error}.")

    def _stop(self, why: str) -> None:
        with self._lock:
            if self.judged.stopped is None:
                self.judged.stopped = capitalized(why)
        self.server.stopping.set()


def _scores(prompt: Prompt, reply: Reply | None) -> Iterator[Score]:
    """The scores of a reply; without one, missing scores."""
    found = prompt.read(reply.content) if reply else None
    for position, run_id in enumerate(prompt.order):
        value = None if found is None else found[run_id]
        yield Score(run_id, prompt.panel.number, prompt.repeat, position, value)
