"""`sweep serve`: show all studies of a folder in a browser."""

from __future__ import annotations

import secrets
import socket
from dataclasses import dataclass

from rich.console import Console

from sweep.errors import ExecutionError
from sweep.terminal.console import say
from sweep.workspace import Workspace

HOST = "127.0.0.1"
"""The only address: other machines reach it through an ssh tunnel."""
TOKEN_BYTES = 16


@dataclass(frozen=True, kw_only=True)
class ServeRequest:
    """The arguments of `sweep serve`."""

    port: int = 0
    """0: any that is free."""


def serve(workspace: Workspace, request: ServeRequest, console: Console) -> int:
    """Serve pages until Ctrl-C. Returns the exit status.

    Raises ExecutionError if the packages are missing or the port is taken.
    """
    try:
        import uvicorn

        from sweep.serving.application import make_application
    except ImportError as error:
        raise ExecutionError(
            f"sweep serve needs {error.name}; pip install 'gpt-sweep[serve]'"
        ) from error
    workspace.open_to_read()
    token = secrets.token_urlsafe(TOKEN_BYTES)
    with _listen(request.port) as listening:
        port = listening.getsockname()[1]
        say(console, f"Studies of {workspace.folder}: http://{HOST}:{port}/{token}/")
        say(
            console,
            "Only this machine can open it, and only who knows the address. Ctrl-C ends it.",
        )
        application = make_application(workspace, token)
        config = uvicorn.Config(application, log_level="error", access_log=False, lifespan="off")
        uvicorn.Server(config).run(sockets=[listening])
    return 0


def _listen(port: int) -> socket.socket:
    """A socket that accepts connections from this machine. Raises ExecutionError."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((HOST, port))
    except OSError as error:
        made.close()
        raise ExecutionError(
            f"port {port} cannot be used ({error.strerror}); choose another --port"
        ) from error
    made.listen()
    return made
