"""`/login`: a browser shows its key once, and is known by a cookie until it logs out."""

from apiflask import APIBlueprint
from flask import Response, request, url_for

from api import access, browsers, sessions
from api.errors import UnknownKeyError
from api.settings import settings

FIELD = "key"

blueprint = APIBlueprint("login", __name__, enable_openapi=False)


@blueprint.get("/login")
def form() -> Response:
    """Return the page that asks for a key."""
    if not settings().are_keys_required:
        return browsers.lead_to(url_for("pages.index"))
    return browsers.page("login.html", refusal="")


@blueprint.post("/login")
def log_in() -> Response:
    """Let a browser stay logged in with the key that it sends."""
    if not settings().are_keys_required:
        return browsers.lead_to(url_for("pages.index"))
    sessions.refuse_others()
    try:
        key = access.admits(request.form.get(FIELD, "").strip())
    except UnknownKeyError as exc:
        return browsers.page("login.html", status=exc.status, refusal=str(exc))
    response = browsers.lead_to(url_for("pages.index"))
    sessions.begin(response, key)
    return response


@blueprint.post("/logout")
def log_out() -> Response:
    """Let a browser forget its key; whoever copied its cookie is known until that ends."""
    sessions.refuse_others()
    response = browsers.lead_to(url_for("login.form"))
    sessions.end(response)
    return response
