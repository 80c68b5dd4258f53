"""Look up a path of a recipe."""

from __future__ import annotations

import os
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path

from trainer.errors import UserError


def look_up(word: str, beside: Path | None) -> list[Path]:
    """Existing paths of that name in the working directory and in `beside`, the study's folder.

    `~` is the user's home. Two results mean that the name is ambiguous. Raises UserError if a
    folder cannot be read.
    """
    try:
        places = _places(word, beside)
        return list({path.resolve(): path for path in places if path.exists()}.values())
    except OSError as error:
        raise UserError(f"{error.filename} cannot be read ({error.strerror})") from error


def look_up_one(word: str, beside: Path | None, where: str, error: type[UserError]) -> Path | None:
    """The existing path of that name; None if there is none.

    Raises `error`, which begins with `where`, if it exists in both places.
    """
    found = look_up(word, beside)
    if len(found) > 1:
        one, other = (path.resolve() for path in found)
        raise error(f"{where} is ambiguous: {one} and {other} both exist; write the absolute path")
    return found[0] if found else None


def nearest_path(word: str, beside: Path | None) -> str | None:
    """The path that exists and is most like one that does not; None if none is like it.

    Each part may differ a little, and the suffix may be missing.
    """
    found = "/" if word.startswith("/") else ""
    for part in Path(word).parts[bool(found) :]:
        path = os.path.join(found, part)  # noqa: PTH118  (as it was typed)
        if not look_up(path, beside):
            names = [name for place in _places(found, beside) for name in _visible_names(place)]
            stems = {name.partition(".")[0]: name for name in names}
            near = get_close_matches(part, {*names, *stems}, n=1, cutoff=0.7)
            if not near:
                return None
            path = os.path.join(found, stems.get(near[0], near[0]))  # noqa: PTH118
        found = path
    return found


def _places(word: str, beside: Path | None) -> list[Path]:
    path = os.path.expanduser(word)  # noqa: PTH111  (leaves an unknown user's name as it is)
    return [Path(path), *([beside / path] if beside else [])]


def _visible_names(folder: Path) -> Iterator[str]:
    try:
        yield from (name for name in os.listdir(folder) if not name.startswith("."))  # noqa: PTH208
    except OSError:
        return
