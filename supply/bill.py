"""A bill of materials of an image, in CycloneDX."""

from collections.abc import Iterator

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

from supply import files, shipped
from supply.licences import licence_of

LICENCE = "Apache-2.0"
REFERENCE = "LicenseRef-"


def bill(image: str, version: str) -> str:
    """Return the bill of one image as JSON, checked against the schema.

    Raises:
        ValueError: it is not what the schema says.
    """
    licences = LicenseFactory()
    whole = Component(
        name=f"petiole-{image}",
        version=version,
        type=ComponentType.CONTAINER,
        licenses=[licences.make_from_string(LICENCE)],
        bom_ref=f"petiole-{image}",
    )
    parts = [_base(), *_packages(image, licences), *_files(licences)]
    made = Bom(components=parts)
    made.metadata.component = whole
    made.register_dependency(whole, parts)
    text = JsonV1Dot6(made).output_as_string(indent=1)
    if error := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        raise ValueError(f"the bill of {image} is not as CycloneDX wants it: {error}")
    return text


def _base() -> Component:
    base = shipped.base_image()
    return Component(
        name=base.name,
        version=base.tag,
        type=ComponentType.CONTAINER,
        purl=PackageURL("docker", None, base.name, base.tag),
        description="Its Debian packages are not listed here.",
        bom_ref=f"{base.name}:{base.tag}",
    )


def _packages(image: str, licences: LicenseFactory) -> Iterator[Component]:
    for package in shipped.packages(image):
        yield Component(
            name=package.name,
            version=package.version,
            type=ComponentType.LIBRARY,
            purl=PackageURL("pypi", None, package.name, package.version),
            licenses=[licences.make_from_string(licence_of(package.name).expression)],
            bom_ref=f"{package.name}=={package.version}",
        )


def _files(licences: LicenseFactory) -> Iterator[Component]:
    for foreign in files.FILES:
        name = foreign.licence
        made = licences.make_with_name if name.startswith(REFERENCE) else licences.make_from_string
        for path, digest in files.paths(foreign).items():
            yield Component(
                name=path,
                version=foreign.version or None,
                type=ComponentType.FILE,
                description=foreign.what,
                hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest)],
                licenses=[made(name)],
                bom_ref=path,
            )
