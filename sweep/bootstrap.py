"""Make `model`, `trainer` and `analysis` mean our packages, whatever else has these names.

In a checkout they are at its top, beside `sweep`. An installation has them inside `sweep`, so that
it takes no other name from its users. In processes of our own (the command line and what it starts)
`claim_names` makes Python find them there first. A notebook that imports `sweep` is not such a
process: there these names belong to the user, and `sweep.notebook` asks a process of ours.

As a program, `python -P sweep/bootstrap.py MODULE ARGUMENT...` calls `main()` of a module in such a
process. It is started by its path, so that it runs this code, and not another `sweep`.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

HERE = Path(__file__).resolve().parent
_IS_CHECKOUT = not (HERE / "trainer" / "__init__.py").is_file()
FOLDERS = {
    "sweep": HERE.parent,
    **dict.fromkeys(("model", "trainer", "analysis"), HERE.parent if _IS_CHECKOUT else HERE),
}
"""Our packages, and the folder that each is in."""


class OwnPackages:
    """A finder for `sys.meta_path` that knows our packages, and nothing else in their folders."""

    CLAIMS_NAMES = True
    """Marks it for `trainer.scripts.user_names`, which gives the names back."""

    @staticmethod
    def find_spec(
        name: str, _path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        folder = FOLDERS.get(name)
        return PathFinder.find_spec(name, [str(folder)]) if folder else None


def command(module: str) -> list[str]:
    """The command that calls `main()` of a module of ours in a process of ours."""
    return [sys.executable, "-P", str(HERE / "bootstrap.py"), module]


def claim_names() -> None:
    """Let the names of our packages mean ours in this process, which must be our own.

    Modules of other packages of these names are forgotten: a user's `sitecustomize` or a `.pth` file
    may have imported them. Folders of the user's sources come last, see `_put_sources_last`.
    """
    sys.meta_path.insert(0, OwnPackages)
    others = {name for name in FOLDERS if name in sys.modules and not is_ours(name)}
    for module in [each for each in sys.modules if each.partition(".")[0] in others]:
        del sys.modules[module]
    _put_sources_last()


def is_ours(name: str) -> bool:
    """True if `import name` gives our package of that name in this process."""
    module = sys.modules.get(name)
    if module is not None:
        files = [getattr(module, "__file__", None), *getattr(module, "__path__", [])]
    else:
        spec = importlib.util.find_spec(name)
        files = [spec.origin] if spec else []
    return any(file and _is_in(file, name) for file in files)


def _is_in(file: str, name: str) -> bool:
    """True if a file, or a folder, is that of our package."""
    return Path(file).resolve().is_relative_to(FOLDERS[name] / name)


def other_packages() -> dict[str, str]:
    """Packages of these names that other processes would import, and where they are."""
    finders = [finder for finder in sys.meta_path if finder is not OwnPackages]
    places = {}
    for name in FOLDERS:
        found = (finder.find_spec(name, None) for finder in finders)
        if spec := next(filter(None, found), None):
            places[name] = spec.origin or next(iter(spec.submodule_search_locations or ()), "")
    return {name: place for name, place in places.items() if not _is_in(place, name)}


def import_ours(name: str) -> ModuleType:
    """Import a module of ours that imports no other one, in a process whose names are the user's.

    It is called `sweep.trainer.errors`, say, as an installation has it.
    """
    package = name.partition(".")[0]
    file = FOLDERS[package].joinpath(*name.split(".")).with_suffix(".py")
    spec = importlib.util.spec_from_file_location(f"sweep.{name}", file)
    assert spec  # noqa: S101  (for the type checker: it is a file of Python)
    assert spec.loader  # noqa: S101
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _put_sources_last() -> None:
    """Let the standard library and installed packages be found before a user's sources.

    What comes before the standard library in `sys.path` is the working directory, PYTHONPATH and
    the like. With a `queue.py` or a `datasets.py` there, we would import that in place of what we
    mean. A folder that packages are installed in keeps its place.
    """
    library = str(Path(os.__file__).parent)
    if library in sys.path:
        first = sys.path[: sys.path.index(library)]
        sources = [entry for entry in first if not any(Path(entry).glob("*.*-info"))]
        installed = [entry for entry in first if entry not in sources]
        sys.path[:] = [*installed, *sys.path[len(first) :], *sources]


if __name__ == "__main__":
    del sys.argv[0]
    claim_names()
    sys.exit(importlib.import_module(sys.argv[0]).main())
