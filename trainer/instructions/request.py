"""What a fine-tune does: the content of `instructions.json`. Quick to import: no torch here."""

from __future__ import annotations

from pydantic import Field, ValidationError

from model.config import Config
from trainer.errors import RunDirectoryError
from trainer.execution import Execution
from trainer.files import write_json
from trainer.instructions.settings import InstructionSettings
from trainer.recipe import Seeds
from trainer.rundir.directory import RunDirectory, first_mistake


class InstructionRequest(Config):
    """A fine-tune of the final weights of a run."""

    base: str
    """The directory of the run that is fine-tuned, relative to the fine-tune's own."""
    base_id: str
    """The id of that run."""
    base_family: str
    """The id that all runs of its arm share."""
    data: str
    """The file of instruction data, relative to the fine-tune's directory."""
    data_hash: str
    """The hash of its items (`InstructionData.hash`)."""
    settings: InstructionSettings = InstructionSettings()
    seeds: Seeds
    """`order`: the order of items in an epoch; `dropout`: the masks, if any."""
    execution: Execution = Execution()
    run_id: str
    family: str
    repeat_of: str | None = None


class Answer(Config):
    """What a fine-tuned model has written for a test item."""

    text: str
    ended: bool
    """True if it ended with end-of-text, False if it was cut at `answer_tokens`."""


class Answers(Config):
    """The content of `answers.json`: the answers to the test items, in their order."""

    answers: list[Answer] = Field(min_length=1)


def write_instruction_request(directory: RunDirectory, request: InstructionRequest) -> None:
    """Create the directory and its `instructions.json`. Raises OSError."""
    directory.path.mkdir(parents=True, exist_ok=True)
    write_json(directory.instructions, request.model_dump(mode="json", exclude_defaults=True))


def read_instruction_request(directory: RunDirectory) -> InstructionRequest:
    """Read `instructions.json`. Raises RunDirectoryError if it is missing or invalid."""
    try:
        return InstructionRequest.model_validate_json(directory.instructions.read_bytes())
    except OSError as error:
        raise RunDirectoryError(
            f"{directory.instructions} cannot be read ({error.strerror})"
        ) from error
    except ValidationError as error:
        raise RunDirectoryError(first_mistake(directory.instructions, error)) from error


def read_answers(directory: RunDirectory) -> list[Answer]:
    """Read the answers of a finished fine-tune. Raises RunDirectoryError if there are none."""
    try:
        return Answers.model_validate_json(directory.answers.read_bytes()).answers
    except OSError as error:
        raise RunDirectoryError(
            f"{directory.answers} cannot be read ({error.strerror}); remove {directory.result} and "
            "judge again to fine-tune this run once more"
        ) from error
    except ValidationError as error:
        raise RunDirectoryError(
            f"{directory.answers} is damaged; remove it and {directory.result}, and judge again"
        ) from error
