"""Upload models to the Hugging Face Hub with the token of `hf auth login`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from textwrap import shorten
from typing import NamedTuple

from sweep.errors import HubError
from trainer.sources.time_limit import NETWORK_TIMEOUT, call_within

MAX_DESCRIPTION = 150
"""Characters of a collection's description; the hub refuses longer ones."""


class Uploaded(NamedTuple):
    """A model on the hub."""

    name: str
    """OWNER/NAME."""
    address: str


class Hub:
    """A connection to the hub. Raises HubError within seconds if the token is missing or refused."""

    def __init__(self, repositories: Iterable[str]) -> None:
        """Connect to upload to these repositories; raises HubError for one that cannot be named so."""
        from huggingface_hub import constants, get_token

        for each in repositories:
            _check_name(each)
        _show_progress_on_terminals_only()
        self._address, self._token = constants.ENDPOINT, get_token()
        if self._token is None:
            raise HubError(
                "you are not logged in to the Hugging Face Hub: `hf auth login` asks for a token "
                "with write access, or set HF_TOKEN"
            )
        try:
            self._check_login()
        except Exception as error:  # exception classes differ between versions of the library
            raise HubError(f"{self._address} {_reason(error)}; nothing was uploaded") from error

    def _check_login(self) -> None:
        from huggingface_hub import get_session, hf_raise_for_status

        # The library's own `whoami` has no timeout.
        url, headers = f"{self._address}/api/whoami-v2", {"authorization": f"Bearer {self._token}"}
        ask = partial(get_session().get, url, headers=headers, timeout=NETWORK_TIMEOUT)
        hf_raise_for_status(call_within(NETWORK_TIMEOUT, ask))

    def upload(self, folder: Path, repository: str) -> Uploaded:
        """Upload a folder to a model repository, created if it does not exist."""
        from huggingface_hub import HfApi

        api = HfApi()
        try:
            made = api.create_repo(repository, exist_ok=True)
            api.upload_folder(repo_id=made.repo_id, folder_path=folder)
        except Exception as error:  # see __init__
            raise HubError(
                f"{repository!r} at {self._address} {_reason(error)}; the model is in {folder}: "
                "the same command with another --to tries again"
            ) from error
        return Uploaded(made.repo_id, str(made))

    def collect(self, title: str, description: str, models: Sequence[str]) -> str:
        """List models in the collection of this title of their owner. Returns its address.

        It is created if it does not exist.
        """
        from huggingface_hub import HfApi

        api = HfApi()
        owner = models[0].partition("/")[0]
        try:
            collection = api.create_collection(
                title,
                namespace=owner,
                description=shorten(description, MAX_DESCRIPTION, placeholder="…"),
                exists_ok=True,
            )
            for each in models:
                api.add_collection_item(collection.slug, each, "model", exists_ok=True)
        except Exception as error:  # see __init__
            raise HubError(
                f"the models are uploaded, and the collection {title!r} of {owner} is not complete: "
                f"{self._address} {_reason(error)}"
            ) from error
        return str(collection.url)


def _show_progress_on_terminals_only() -> None:
    from huggingface_hub import constants
    from huggingface_hub.utils import disable_progress_bars  # type: ignore[attr-defined]

    if constants.HF_HUB_DISABLE_PROGRESS_BARS is None and not sys.stderr.isatty():
        disable_progress_bars()


def _check_name(repository: str) -> None:
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    try:
        validate_repo_id(repository)
    except HFValidationError as error:
        raise HubError(f"--push: {str(error).splitlines()[0]} Nothing was uploaded") from error


def _reason(error: Exception) -> str:
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status == 401:
        return "does not accept your token (`hf auth login` asks for another)"
    if status is not None:
        return f"refused with status {status}"
    first = (str(error).strip() or type(error).__name__).splitlines()[0]
    return f"could not be reached or used ({first[:200]})"
