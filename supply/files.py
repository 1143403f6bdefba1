"""Files of others in the rooms of the service, and what packages hold of still others."""

from dataclasses import dataclass
from hashlib import sha256

from supply.shipped import ROOT


@dataclass(frozen=True)
class Foreign:
    """A file that others have made, below the root of the repository; a pattern for several."""

    files: str
    what: str
    version: str
    licence: str


FILES = (
    Foreign("api/static/vendor/pico.classless.jade.min.css", "Pico CSS", "2.1.1", "MIT"),
    Foreign("api/static/vendor/pico.LICENSE.md", "licence of Pico CSS", "2.1.1", "MIT"),
    Foreign("api/static/samples/cat*.jpg", "scikit-image's `chelsea`", "", "CC0-1.0"),
    Foreign("api/static/samples/coffee*.jpg", "scikit-image's `coffee`", "", "CC0-1.0"),
    Foreign("petiole/samples/coffee.jpg", "scikit-image's `coffee`", "", "CC0-1.0"),
    Foreign("api/static/samples/rocket*.jpg", "SpaceX", "", "LicenseRef-public-domain"),
    Foreign(
        "model_store/pretrained/imagenet_labels.txt",
        "names of WordNet nouns",
        "3.0",
        "LicenseRef-WordNet",
    ),
)
ROOMS = ("api", "tasks", "model_store", "training", "petiole")
OWN = {".py", ".js", ".css", ".svg", ".html", ".json", ".lua", ".j2", ".typed", ".pyc"}
OURS = ("api/static/vendor/README.md", "api/static/vendor/SHA256SUMS")
MINIFIED = ".min"


@dataclass(frozen=True)
class Within:
    """What a package holds of others."""

    package: str
    holds: str
    licence: str


WITHIN = (
    Within("flask-swagger-ui", "Swagger UI", "Apache-2.0"),
    Within("flower", "Bootstrap, jQuery, DataTables, Moment and Moment Timezone", "MIT"),
    Within("pi-heif", "libheif and libde265", "LGPL-3.0-or-later"),
)


def paths(foreign: Foreign) -> dict[str, str]:
    """Return the files of a pattern with their SHA-256."""
    found = sorted(ROOT.glob(foreign.files))
    return {str(p.relative_to(ROOT)): sha256(p.read_bytes()).hexdigest() for p in found}


def unlisted() -> list[str]:
    """Return files of the rooms that are neither ours by their kind nor listed here."""
    listed = {*OURS, *(path for foreign in FILES for path in paths(foreign))}
    in_rooms = (path for room in ROOMS for path in (ROOT / room).rglob("*") if path.is_file())
    foreign = (p for p in in_rooms if p.suffix not in OWN or MINIFIED in p.suffixes)
    return sorted({str(path.relative_to(ROOT)) for path in foreign} - listed)
