"""Pages for people: where pictures are dropped, and what each problem means."""

from apiflask import APIBlueprint
from flask import Response, url_for

from api import bodies, browsers, links
from api.advice import ADVICE
from api.errors import API_ERRORS
from api.health import NOT_READY
from api.settings import settings
from tasks import problems
from tasks.problems import TYPE_PREFIX, Problem
from tasks.settings import settings as tasks_settings

SAMPLES = (
    ("coffee", "A cup of coffee", "Rachel Michetti, CC0"),
    ("cat", "A cat", "Stéfan van der Walt, CC0"),
    ("rocket", "A rocket", "SpaceX, public domain"),
)

blueprint = APIBlueprint("pages", __name__, template_folder="templates", enable_openapi=False)


@blueprint.get("/")
def index() -> Response:
    """Return the page on which pictures are dropped."""
    limits = tasks_settings()
    return browsers.page(
        "index.html",
        samples=SAMPLES,
        flower_url=settings().flower_url,
        max_bytes=limits.max_upload_bytes,
        max_wait_seconds=settings().max_wait_seconds,
    )


@blueprint.get("/problems")
def problem_table() -> Response:
    """Return the table that the `type` of every problem document points into."""
    rows = [(problem, ADVICE[problem.slug]) for problem in all_problems()]
    if browsers.prefers_json():
        return bodies.of_members([_as_json(problem, advice) for problem, advice in rows])
    return browsers.page("problems.html", rows=rows)


@blueprint.get("/favicon.ico")
def favicon() -> Response:
    """Send a browser that was told of no icon to the one there is."""
    return browsers.lead_to(url_for("assets.static", name="petiole.svg"))


def all_problems() -> list[Problem]:
    """Return each kind of problem once, in the order of its status."""
    own = [Problem(kind.slug, kind.title, kind.status) for kind in API_ERRORS]
    every = {problem.slug: problem for problem in [*problems.every(), *own, NOT_READY]}
    return sorted(every.values(), key=lambda problem: (problem.status, problem.slug))


def _as_json(problem: Problem, advice: str) -> dict[str, str | int]:
    return {
        "type": links.to(f"{TYPE_PREFIX}{problem.slug}"),
        "title": problem.title,
        "status": problem.status,
        "advice": advice,
    }
