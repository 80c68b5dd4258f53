"""The console script; `python -m sweep` is the command `sweep`, too."""

import sys


def main() -> None:
    """The command line, which may be interrupted while it is still being imported."""
    try:
        from sweep.bootstrap import claim_names

        claim_names()
        from sweep.cli import main as command

        command()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
