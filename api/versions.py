"""`/models/<name>/<version>`: what is known of a version, its labels, its training's report."""

from dataclasses import dataclass

from apiflask import APIBlueprint
from flask import Response, request

from api import bodies, browsers, catalog, links, options, thumbnails
from model_store import ModelStore
from model_store.card import ModelCard, Origin, PreprocessingSpec, Variant
from model_store.doubts.section import Trust
from model_store.errors import UnknownVersionError

blueprint = APIBlueprint("versions", __name__, tag="Models")

REPORT = "report.html"
"""The file of a version that is the report of its training."""
# A report holds all that it shows. It may be somebody else's, so it runs nothing.
REPORT_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'none'; sandbox"
)

KEEP_SECONDS = 3600
"""A version's pictures stay the same; an alias may mean another version meanwhile."""


@dataclass(frozen=True)
class OfferedVersion:
    """What is known of one version, from its card.

    `trust` says how far its answers can be trusted, and on what that was measured; what was not
    measured is not there. `report_url` is there where the version has a report.
    """

    name: str
    version: int
    aliases: tuple[str, ...]
    created_at: str
    licence: str
    origin: Origin
    labels: tuple[str, ...]
    preprocessing: PreprocessingSpec
    metrics: dict[str, float]
    reference: str
    variants: tuple[Variant, ...]
    labels_url: str
    report_url: str | None = None
    trust: Trust | None = None


@dataclass(frozen=True)
class Labels:
    """The labels of a version, in class order."""

    model: str
    labels: tuple[str, ...]


@blueprint.get("/models/<name>/<version>")
@blueprint.doc(operation_id="version", responses={})
def version(name: str, version: str) -> Response:
    """Return the card of one version, by its number or an alias: labels, origin, how it was judged.

    `trust` has its accuracy with an interval, calibration before and after, how often the label
    sets hold the true label, and how many pictures of other things it calls unknown.
    """
    options.refuse_unknown(request.args, known=())
    card, aliases = _found(name, version)
    offered = _offered(card, aliases)
    return browsers.either(
        page=lambda: browsers.page("version.html", version=offered, ref=card.ref),
        data=lambda: bodies.of(offered),
    )


@blueprint.get("/models/<name>/<version>/labels")
@blueprint.doc(operation_id="labels", responses={})
def labels(name: str, version: str) -> Response:
    """Return the labels of one version in class order; to a browser as lines of text."""
    options.refuse_unknown(request.args, known=())
    card, _ = _found(name, version)
    return browsers.either(
        page=lambda: Response("".join(f"{each}\n" for each in card.labels), mimetype="text/plain"),
        data=lambda: bodies.of(Labels(card.ref, card.labels)),
    )


@blueprint.get("/models/<name>/<version>/report")
@blueprint.doc(operation_id="report", responses={})
def report(name: str, version: str) -> Response:
    """Return the report of a version's training: a page with its figures and test pictures."""
    options.refuse_unknown(request.args, known=())
    card, _ = _found(name, version)
    if REPORT not in card.files:
        raise UnknownVersionError(
            f"{card.ref} has no report; versions have one that were trained or calibrated here"
        )
    page = catalog.of_this_process().read(lambda store: store.file(card, REPORT))
    response = Response(page, mimetype="text/html")
    response.headers.update(browsers.HEADERS | {"Content-Security-Policy": REPORT_POLICY})
    return response


@blueprint.get("/models/<name>/<version>/references/<int:number>.jpg")
@blueprint.doc(operation_id="referencePicture", responses={})
def reference_picture(name: str, version: str, number: int) -> Response:
    """Return a small copy of a training picture, as `neighbours` of an answer name it.

    404 where the version keeps none: it does if its training was told so.
    """
    options.refuse_unknown(request.args, known=())
    card, _ = _found(name, version)
    jpeg = thumbnails.of(card, number)
    headers = {"Cache-Control": f"private, max-age={KEEP_SECONDS}"}
    return Response(jpeg, mimetype="image/jpeg", headers=headers)


def _found(name: str, version: str) -> tuple[ModelCard, tuple[str, ...]]:
    """Return the card of a version, by its number or an alias, and the aliases that it has."""

    def look(store: ModelStore) -> tuple[ModelCard, tuple[str, ...]]:
        card = store.card(*store.resolve(f"{name}@{version}"))
        held = store.aliases(card.name).items()
        return card, tuple(alias for alias, number in held if number == card.version)

    return catalog.of_this_process().read(look)


def _offered(card: ModelCard, aliases: tuple[str, ...]) -> OfferedVersion:
    place = links.to(f"/models/{card.name}/{card.version}")
    return OfferedVersion(
        name=card.name,
        version=card.version,
        aliases=aliases,
        created_at=card.created_at,
        licence=card.licence,
        origin=card.origin,
        labels=card.labels,
        preprocessing=card.preprocessing,
        metrics=card.metrics,
        reference=card.reference,
        variants=card.variants,
        labels_url=f"{place}/labels",
        report_url=f"{place}/report" if REPORT in card.files else None,
        trust=card.trust,
    )
