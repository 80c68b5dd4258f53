"""Find a user's function in a process of ours that becomes the user's: its modules are theirs.

In our processes `model`, `trainer`, `analysis` and `sweep` are our packages (`sweep/bootstrap.py`).
`take_names_back` ends that for the process of a function. From then on nothing of ours may be
imported there.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

OURS = frozenset({"sweep", "model", "trainer", "analysis"})
ARGUMENTS = ("parameters", "seed", "run_dir", "report")
Function = Callable[[dict[str, Any], Any, Path, Any], object]


def take_names_back(folder: str) -> list[ModuleType]:
    """Let every name mean what it means to a program that is started in `folder`.

    Returns the modules that are forgotten; they work as long as they are kept.
    """
    sys.meta_path[:] = [each for each in sys.meta_path if not hasattr(each, "CLAIMS_NAMES")]
    python_path = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    sys.path[:] = dict.fromkeys([folder, *map(os.path.abspath, python_path), *sys.path])
    forgotten = [name for name in sys.modules if _is_not_theirs(name.partition(".")[0], folder)]
    kept = [sys.modules.pop(name) for name in forgotten]
    main = sys.modules.get("__main__")
    sys.modules["__main__"] = ModuleType("__main__")
    sys.argv = [""]
    importlib.invalidate_caches()
    return [*kept, main] if main else kept


def _is_not_theirs(package: str, folder: str) -> bool:
    """True for packages of ours, and for those that the user's folder has another of."""
    if package in OURS:
        return True
    if package in sys.stdlib_module_names:
        return False
    source = Path(folder, f"{package}.py")
    return source.is_file() or Path(folder, package, "__init__.py").is_file()


class UserFunction:
    """A function, by the name `package.module:train`."""

    def __init__(self, name: str, folder: str) -> None:
        self._name = name
        self._module, _, self._function = name.partition(":")
        self._folder = folder

    def load(self) -> Function | str:
        """The function, or what is wrong with it: a sentence. Its traceback is printed."""
        module = self._import()
        if isinstance(module, str):
            return module
        found: Any = module
        for part in self._function.split("."):
            near = difflib.get_close_matches(part, _callables(found), 1)
            found = getattr(found, part, None)
            if found is None:
                advice = f"; did you mean {near[0]!r}?" if near else ""
                return f"{self._module} has no function {self._function!r}{advice}"
        return self._why_wrong(found) or found

    def _import(self) -> ModuleType | str:
        top = self._module.partition(".")[0]
        module = sys.modules.get(top)
        if module and not str(getattr(module, "__file__", "")).startswith(self._folder):
            del sys.modules[top]  # it has the name of a module that was imported before
        try:
            return importlib.import_module(self._module)
        except Exception as error:  # noqa: BLE001  (the user's module may raise anything)
            traceback.print_exc()
            said = " ".join(f"{type(error).__name__}: {error}".split())
            return f"{self._module} cannot be imported from {self._folder}: {said}"

    def _why_wrong(self, found: object) -> str | None:
        if not callable(found):
            return f"{self._name} is no function, but a {type(found).__name__}"
        try:
            signature = inspect.signature(found)
        except (TypeError, ValueError):  # built in, so that there is nothing to look at
            return None
        try:
            signature.bind(*ARGUMENTS)
        except TypeError as error:
            return (
                f"{self._name} is declared as {self._function}{signature}, but is called as "
                f"{self._function}({', '.join(ARGUMENTS)}): {error}"
            )
        return None


def _callables(holder: object) -> list[str]:
    """Names of functions and classes that a module or class has."""
    return [name for name, value in vars(holder).items() if callable(value)]
