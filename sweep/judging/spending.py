"""What a judge model costs, and the budget that it stays below."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from sweep.judging.prompts import Prompt
from sweep.judging.server import Reply
from sweep.study.evaluation_section import JudgeSettings

CHARACTERS_PER_TOKEN = 4
"""A usual ratio for English; only for the estimate before a reply says how many tokens there were."""
TOKENS_PER_SCORE = 20
TOKENS_PER_REPLY = 10
MILLION = 1_000_000


@dataclass
class Spending:
    """Dollars spent and about to be spent; several threads use it."""

    settings: JudgeSettings
    spent: float = 0.0
    _reserved: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def reserve(self, prompt: Prompt) -> bool:
        """Set aside what a prompt may cost; False if the budget does not allow it."""
        cost = self.price(*estimated_tokens(prompt))
        with self._lock:
            budget = self.settings.budget
            if budget is not None and self.spent + self._reserved + cost > budget:
                return False
            self._reserved += cost
            return True

    def settle(self, prompt: Prompt, reply: Reply | None) -> None:
        """Count what a prompt has cost in place of what was set aside; nothing without a reply."""
        estimate = estimated_tokens(prompt)
        with self._lock:
            self._reserved -= self.price(*estimate)
            if reply is not None:
                asked = reply.prompt_tokens or estimate[0]
                self.spent += self.price(asked, reply.reply_tokens or estimate[1])

    def price(self, prompt_tokens: int, reply_tokens: int) -> float:
        """Dollars for some tokens; 0 if the prices are not known."""
        given, back = self.settings.price_input or 0.0, self.settings.price_output or 0.0
        return (prompt_tokens * given + reply_tokens * back) / MILLION


def estimated_tokens(prompt: Prompt) -> tuple[int, int]:
    """About how many tokens a prompt and its reply have."""
    characters = sum(len(text) for message in prompt.messages for text in message.values())
    replied = TOKENS_PER_REPLY + TOKENS_PER_SCORE * len(prompt.panel.answers)
    return -(-characters // CHARACTERS_PER_TOKEN), replied
