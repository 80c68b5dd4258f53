"""Look up a path of a recipe."""

from __future__ import annotations

from pathlib import Path

from trainer.errors import UserError


def look_up(word: str, beside: Path | None) -> list[Path]:
    """Existing paths of that name in the working directory and in `beside`, the study's folder.

    Two results mean that the name is ambiguous. Raises UserError if a folder cannot be read.
    """
    places = [Path(word), *([beside / word] if beside else [])]
    try:
        return list({path.resolve(): path for path in places if path.exists()}.values())
    except OSError as error:
        raise UserError(f"{error.filename} cannot be read ({error.strerror})") from error
