"""What every answer tells a browser about itself: what it is, and what a page of it may do.

A page that says nothing, such as the one that a redirect has for old programs, may do nothing.
"""

import base64
import hashlib
import re

from flask import Response, request

from api import browsers

DOCUMENTS = "/docs/"
INLINE_SCRIPT = re.compile(rb"<script>(.*?)</script>", re.DOTALL)


def guard(response: Response) -> Response:
    """Add what is missing to the head of an answer."""
    response.headers["X-Content-Type-Options"] = "nosniff"
    if response.mimetype == "text/html":
        response.headers["X-Frame-Options"] = "DENY"  # for browsers older than `frame-ancestors`
        if request.path == DOCUMENTS and "Content-Security-Policy" not in response.headers:
            response.headers["Content-Security-Policy"] = _policy_of_documents(response.get_data())
        for name, value in browsers.HEADERS.items():
            response.headers.setdefault(name, value)
    return response


def _policy_of_documents(page: bytes) -> str:
    """Return the policy of Swagger UI's page: it has one script in itself, and styles its icons."""
    hashes = " ".join(f"'sha256-{_digest(script)}'" for script in INLINE_SCRIPT.findall(page))
    return browsers.POLICY.replace("script-src 'self'", f"script-src 'self' {hashes}").replace(
        "style-src 'self'", "style-src 'self' 'unsafe-inline'"
    )


def _digest(script: bytes) -> str:
    return base64.b64encode(hashlib.sha256(script).digest()).decode()
