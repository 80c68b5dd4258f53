"""Modules that the fork server of a study imports once, so that no run has to."""

from __future__ import annotations

from pathlib import Path

from sweep.study.local_modules import file_of_module, imported_names, local_files

HEAVY = {
    "torch": ("torch", "torch.optim"),
    "numpy": ("numpy",),
    "scipy": ("scipy",),
    "pandas": ("pandas",),
    "sklearn": ("sklearn",),
    "torchvision": ("torchvision",),
    "transformers": ("transformers",),
    "transformers.Trainer": ("transformers.trainer",),
}
"""By what a user's module imports: modules that take long to import, and that survive a fork."""


def heavy_imports(function: str, folder: Path) -> tuple[str, ...]:
    """The modules to import for `package.module:train`, by the text of what it uses."""
    file = file_of_module(function.partition(":")[0], [folder])
    if file is None:
        return ()
    imported = {name for path in local_files(file, folder) for name in imported_names(path)}
    found = [
        module
        for name, modules in HEAVY.items()
        if any(each == name or each.startswith(f"{name}.") for each in imported)
        and file_of_module(name.partition(".")[0], [folder]) is None
        for module in modules
    ]
    return tuple(dict.fromkeys(found))
