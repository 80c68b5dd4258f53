"""How sentences reach people."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text


def say(console: Console, sentence: str | Text, style: str = "") -> None:
    """Print a sentence as it is: wrapped between words on a terminal, on one line elsewhere."""
    text = Text(sentence, style) if isinstance(sentence, str) else sentence
    console.print(text, soft_wrap=not console.is_terminal)
