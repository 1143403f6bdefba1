"""Pages for people: what this is, and what each problem means."""

from apiflask import APIBlueprint
from flask import render_template

from api.errors import API_ERRORS
from api.settings import settings
from tasks import problems
from tasks.problems import Problem

blueprint = APIBlueprint("pages", __name__, template_folder="templates", enable_openapi=False)


@blueprint.get("/")
def index() -> str:
    """Return the page that says what this is and links the rest."""
    return render_template("index.html", flower_url=settings().flower_url)


@blueprint.get("/problems")
def problem_table() -> str:
    """Return the table that the `type` of every problem document points into."""
    return render_template("problems.html", problems=all_problems())


def all_problems() -> list[Problem]:
    """Return each kind of problem once, in the order of its status."""
    own = [Problem(kind.slug, kind.title, kind.status) for kind in API_ERRORS]
    every = {problem.slug: problem for problem in [*problems.every(), *own]}
    return sorted(every.values(), key=lambda problem: (problem.status, problem.slug))
