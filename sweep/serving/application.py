"""The web application of `sweep serve`: it only reads, and answers only who knows its token."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING

from sweep.errors import NotFoundError, UserError
from sweep.pages.page import Page, Section
from sweep.pages.render import render
from sweep.serving.overview import arm_page_of, run_page, studies_page
from sweep.serving.study_pages import StudyPages
from sweep.store.store import Store
from sweep.workspace import Workspace

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""The token is in the address: it is sent to no other site, and nothing is stored."""
HOSTS = ["127.0.0.1", "localhost"]
"""Names in requests; others are refused, so that no foreign site can point its name here."""


def make_application(workspace: Workspace, token: str) -> Starlette:
    """The application, for requests whose path begins with the token."""
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware
    from starlette.routing import Route

    pages = StudyPages()

    def answer(make: Callable[[Store, Request], str]) -> Callable[[Request], Response]:
        return lambda request: _answer(workspace, token, request, make)

    def all_studies(store: Store, _request: Request) -> str:
        return render(studies_page(store, str(workspace.folder)))

    def one_study(store: Store, request: Request) -> str:
        return pages.html(store, store.study(_given(request, "name")))

    def one_arm(store: Store, request: Request) -> str:
        study = store.study(_given(request, "name"))
        return render(arm_page_of(store, study, _given(request, "arm"), workspace.folder))

    def one_run(store: Store, request: Request) -> str:
        return render(run_page(store, _given(request, "id")))

    return Starlette(
        routes=[
            Route("/{token}/", answer(all_studies), methods=["GET"]),
            Route("/{token}/studies/{name}", answer(one_study), methods=["GET"]),
            Route("/{token}/studies/{name}/arms/{arm:path}", answer(one_arm), methods=["GET"]),
            Route("/{token}/runs/{id}", answer(one_run), methods=["GET"]),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=HOSTS)],
    )


def _given(request: Request, name: str) -> str:
    """The part of the address that a route calls `name`."""
    return str(request.path_params.get(name))


def _answer(
    workspace: Workspace, token: str, request: Request, make: Callable[[Store, Request], str]
) -> Response:
    """A page; a sentence if there is none, and nothing at all for a wrong token."""
    from starlette.responses import HTMLResponse, PlainTextResponse

    given = _given(request, "token").encode()
    if not secrets.compare_digest(given, token.encode()):
        return PlainTextResponse("Not found", 404, HEADERS)
    try:
        with workspace.open_to_read() as store:
            return HTMLResponse(make(store, request), headers=HEADERS)
    except UserError as error:
        page = Page(title="sweep", sections=[Section(title="Not now", parts=[str(error)])])
        status = 404 if isinstance(error, NotFoundError) else 503
        return HTMLResponse(render(page), status, HEADERS)
