"""What a browser gets where a program gets JSON: a page in the service's own style.

A page loads nothing from elsewhere and runs no script that stands in it, whatever a client named
its picture or model.
"""

from collections.abc import Callable
from typing import Any

from flask import Response, make_response, render_template, request

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    # A page says what is so now; one that a browser kept would say what was.
    "Cache-Control": "no-store",
}


def is_browser() -> bool:
    """Tell whether the client of this request would rather read a page than JSON."""
    accepted = request.accept_mimetypes
    return accepted["text/html"] > accepted["application/json"]


def prefers_json() -> bool:
    """Tell whether the client would rather read JSON, where a page is what most want."""
    accepted = request.accept_mimetypes
    return accepted["application/json"] > accepted["text/html"]


def either(*, page: Callable[[], Response], data: Callable[[], Response]) -> Response:
    """Return the page to a browser, and the data to every other client."""
    response = page() if is_browser() else data()
    response.vary.add("Accept")
    return response


def lead_to(address: str) -> Response:
    """Send a browser that has sent something to the page of what became of it."""
    return Response(status=303, headers={"Location": address})


def page(template: str, *, status: int = 200, **values: Any) -> Response:
    """Return a page; what it is made of depends on what the client accepts."""
    response = make_response(render_template(template, **values), status)
    response.headers.update(HEADERS)
    response.vary.add("Accept")
    return response
