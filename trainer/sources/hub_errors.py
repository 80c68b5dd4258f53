"""Errors of the hub's libraries as CorpusError (refused) or UnreachableError (no connection)."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from json import JSONDecodeError

from trainer.errors import CorpusError, UnreachableError
from trainer.recipe import DataConfig

WORKS_OFFLINE = (
    "what works offline: python-stdlib, local files, and corpora that `sweep data list` shows"
)
UNWRITABLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS})
"""Error numbers of a disk that cannot be written."""
NO_ANSWER = frozenset({"TimeoutError", "ConnectionError", "TransportError", "InvalidURL"})
"""Names of errors for a missing answer: Python's, and those of httpx or httpx2."""


@contextlib.contextmanager
def as_corpus_errors(data: DataConfig) -> Iterator[None]:
    """Raise CorpusError if the hub refuses, UnreachableError if it cannot be reached."""
    try:
        yield
    except CorpusError:
        raise
    except Exception as error:
        where = f"data.corpus = {data.corpus!r}"
        if not _is_no_answer(error) and (refusal := _refusal(data, error)) is not None:
            raise CorpusError(f"{where}: {refusal}") from error
        if _is_no_answer(error) or isinstance(error, OSError | JSONDecodeError):
            raise UnreachableError(f"{where}: {_unreachable(error)}") from error
        raise


def _is_no_answer(error: Exception) -> bool:
    """True if there was no answer. By name, because versions of the hub use different packages."""
    names = {kind.__name__ for kind in type(error).__mro__}
    return not names.isdisjoint(NO_ANSWER)


def _refusal(data: DataConfig, error: Exception) -> str | None:
    """The reason why the hub refuses, and what to do; None if it gave none."""
    from datasets.exceptions import DatasetsError
    from huggingface_hub import constants, errors

    page = f"{constants.ENDPOINT}/datasets/{data.corpus}"
    # datasets raises DatasetNotFoundError for a gated dataset, too: only its text tells.
    if isinstance(error, errors.GatedRepoError) or "is a gated dataset" in str(error):
        return (
            f"this dataset is gated; accept its terms at {page}, then log in with "
            "`hf auth login` or set HF_TOKEN"
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return f"it has no revision {data.revision!r}; see {page}/commits"
    if isinstance(error, errors.RepositoryNotFoundError):
        return (
            "there is no such dataset on the Hugging Face Hub, or it is private; check the name, "
            "or log in with `hf auth login`"
        )
    if isinstance(error, OSError) and error.errno in UNWRITABLE:
        return (
            f"it cannot be stored in {constants.HF_HOME} ({error.strerror}); free some space, or "
            "name another folder with HF_HOME"
        )
    if isinstance(error, ValueError | DatasetsError) and not isinstance(error, JSONDecodeError):
        return _first_line(error)  # no such subset, no data in it
    return None


def _unreachable(error: Exception) -> str:
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return f"it cannot be read from the hub, as HF_HUB_OFFLINE is set; {WORKS_OFFLINE}"
    return f"{constants.ENDPOINT} could not be reached ({_first_line(error)}); {WORKS_OFFLINE}"


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
