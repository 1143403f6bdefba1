"""`python -m supply licences`, `… sizes`, `… sbom FOLDER`, `… audit [OPTION …]`.

See `docs/licences.md`.
"""

import argparse
import sys
from importlib.metadata import version
from pathlib import Path

from supply import audit, bill, shipped, sizes, table


def main() -> int:
    """Do what is asked for; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m supply", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("licences", help="write docs/licences.md anew")
    commands.add_parser("sizes", help="write into it what the images take on disk")
    commands.add_parser("sbom", help="write a bill for each image").add_argument(
        "folder", type=Path
    )
    commands.add_parser("audit", help="look for known weaknesses; options are pip-audit's")
    asked, rest = parser.parse_known_args()
    if asked.command == "audit":
        return _audit(rest)
    if rest:
        parser.error(f"unknown: {' '.join(rest)}")
    if asked.command == "licences":
        table.write(table.tables())
    elif asked.command == "sizes":
        table.write(sizes.tables(), mark="sizes")
    else:
        _bills(asked.folder)
    return 0


def _bills(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for image in shipped.LOCKS:
        file = folder / f"petiole-{image}.cdx.json"
        file.write_text(bill.bill(image, version("petiole")), encoding="utf-8")
        sys.stdout.write(f"{file}\n")


def _audit(options: list[str]) -> int:
    found = audit.audit(options)
    sys.stdout.writelines(f"{line}\n" for line in found.lines)
    return found.status


if __name__ == "__main__":
    sys.exit(main())
