"""Long names for the cells of a table: cut in the middle, and still told apart."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest

from rich.cells import cell_len

WRAP_WIDTH = 24
"""Characters; longer names and verdicts are wrapped before columns are left out."""
LONGEST_NAME = 3 * WRAP_WIDTH
"""Characters of a terminal that a name takes in a table: three lines. Longer ones are cut."""
ELLIPSIS = "…"


def shorten(name: str, width: int = LONGEST_NAME) -> str:
    """A name that takes at most `width` characters of a terminal: its begin, `…`, and its end."""
    if cell_len(name) <= width:
        return name
    end = (width - 1) // 2
    return _first(name, width - 1 - end) + ELLIPSIS + _first(name[::-1], end)[::-1]


def short_names(names: Iterable[str], width: int = LONGEST_NAME) -> Mapping[str, str]:
    """Every name as `shorten` writes it. Different names stay different.

    Names that would look alike are shown from where they begin to differ. If that does not tell
    them apart either, they are not shortened.
    """
    alike = defaultdict[str, list[str]](list)
    for name in dict.fromkeys(names):
        alike[shorten(name, width)].append(name)
    return {
        name: short if len(group) == 1 else _from_difference(name, group, width)
        for short, group in alike.items()
        for name in group
    }


def _from_difference(name: str, group: Sequence[str], width: int) -> str:
    columns = enumerate(zip_longest(*group))
    begin = next(place for place, column in columns if len(set(column)) > 1)
    shown = [_around(each, begin, width) for each in group]
    return _around(name, begin, width) if len(set(shown)) == len(group) else name


def _around(name: str, begin: int, width: int) -> str:
    """The begin of a name, and its part from character `begin` on."""
    part = width // 2
    rest = _first(name[begin:], part)
    more = ELLIPSIS if begin + len(rest) < len(name) else ""
    return _first(name, width - part - 2) + ELLIPSIS + rest + more


def _first(text: str, width: int) -> str:
    """The first characters that take at most `width` characters of a terminal."""
    taken, used = [], 0
    for character in text:
        used += cell_len(character)
        if used > width:
            break
        taken.append(character)
    return "".join(taken)
