"""Upload models to the Hugging Face Hub with the token of `hf auth login`."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from sweep.errors import HubError
from trainer.sources.time_limit import NETWORK_TIMEOUT, call_within


class Hub:
    """A connection to the hub. Raises HubError within seconds if the token is missing or refused."""

    def __init__(self) -> None:
        from huggingface_hub import constants, get_token

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

    def upload(self, folder: Path, repository: str) -> str:
        """Upload a folder to a model repository, created if it does not exist. Returns its address."""
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
        return str(made)


def _reason(error: Exception) -> str:
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status == 401:
        return "does not accept your token (`hf auth login` asks for another)"
    if status is not None:
        return f"refused with status {status}"
    first = (str(error).strip() or type(error).__name__).splitlines()[0]
    return f"could not be reached or used ({first[:200]})"
