"""A hook of mkdocs: a page that would fetch something from elsewhere is a warning.

`mkdocs build --strict`, which .ci/run calls, ends with an error then.
"""

from __future__ import annotations

import logging
import re
from typing import Any

LOG = logging.getLogger("mkdocs.hooks.offline")
FETCHED = re.compile(
    r"""(?:\bsrc|\bdata)=["']?(?:https?:)?//|<link[^>]+stylesheet[^>]+//|url\(["']?(?:https?:)?//"""
)
"""A script, picture, frame or stylesheet from another place. Links may lead there."""


def on_post_page(output: str, *, page: Any, **_: object) -> None:  # noqa: ANN401  (mkdocs' own)
    """Warn if the HTML of a page fetches something."""
    found = FETCHED.search(output)
    if found:
        around = output[found.start() : found.end() + 60]
        LOG.warning("%s fetches something from elsewhere: %s", page.file.src_path, around)
