"""What forked commands find imported."""

from __future__ import annotations

from pathlib import Path

from tests.imported_ahead import own_modules
from tests.patience import PATIENCE
from tests.zygote import Zygote

READ_THE_ENVIRONMENT = {"datasets", "huggingface_hub", "ray", "transformers", "wandb"}
"""Packages that read their settings from the environment at their import."""


def test_a_command_finds_our_modules_imported_but_no_package_that_must_see_its_environment(
    zygote: Zygote, tmp_path: Path
) -> None:
    (tmp_path / "show.py").write_text("import sys\nprint(*sys.modules)\n")
    done = zygote.run_script(tmp_path / "show.py", [], tmp_path, PATIENCE)
    imported = set(done.stdout.split())
    assert set(own_modules()) <= imported
    assert not READ_THE_ENVIRONMENT & imported
