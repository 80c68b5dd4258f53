"""Where a path in a recipe leads."""

from __future__ import annotations

from pathlib import Path

from trainer.errors import UserError


def look_up(word: str, beside: Path | None) -> list[Path]:
    """What there is of that name where the command was given and in `beside`, the study's folder.

    Two are two different things under one name, which nobody can tell apart. Raises UserError for
    a place that cannot be looked at.
    """
    places = [Path(word), *([beside / word] if beside else [])]
    try:
        return list({path.resolve(): path for path in places if path.exists()}.values())
    except OSError as error:
        raise UserError(f"{error.filename} cannot be read ({error.strerror})") from error
