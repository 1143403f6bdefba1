"""Known weaknesses of what is shipped, as `pip-audit` finds them in a database.

pip-audit ends with 0 also where it could look up nothing; here that is a status of its own.
"""

import json
import os
import subprocess
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

from supply.shipped import LOCKS, ROOT, TRACES

NONE_KNOWN: Final = os.EX_OK
KNOWN: Final = 1
NO_DATABASE: Final = os.EX_UNAVAILABLE
"""69: nothing was found, and not everything was looked up."""
LONGEST_REASON = 200
OF_IMAGES: Final = (*LOCKS.values(), TRACES)


@dataclass(frozen=True)
class Audit:
    """What came of it: a status for the shell, and lines for people."""

    status: int
    lines: tuple[str, ...]


def audit(options: Sequence[str] = (), *, names: Collection[str] = OF_IMAGES) -> Audit:
    """Look up every package of locks, those of the images.

    Args:
        options: Further ones of pip-audit, such as which database is asked.
        names: Of the locks, in `requirements/`.
    """
    locks = [word for name in names for word in ("-r", str(ROOT / "requirements" / name))]
    plain = ("--disable-pip", "--require-hashes", "--format", "json", "--progress-spinner", "off")
    command = (sys.executable, "-m", "pip_audit", *locks, *plain, *options)
    ended = subprocess.run(  # noqa: S603 - a tool of the lock, on our own locks
        command, capture_output=True, text=True, check=False
    )
    try:
        told = json.loads(ended.stdout)
    except ValueError:
        # Below it pip-audit says with which of its own errors it met that.
        raised = [line for line in ended.stderr.splitlines() if "Error: " in line]
        reason = (raised or [ended.stderr.strip() or "it said nothing"])[0][:LONGEST_REASON]
        return Audit(
            NO_DATABASE, (f"audit: no database can be reached, nothing is known: {reason}",)
        )
    return judged(told["dependencies"])


def judged(packages: Sequence[dict[str, Any]]) -> Audit:
    """Return what pip-audit's answer means; what it skipped is not without weaknesses."""
    known = {(p["name"], p["version"], v["id"], *v["fix_versions"]) for p in packages
             for v in p.get("vulns", ())}  # fmt: skip
    skipped = sorted(package["name"] for package in packages if "skip_reason" in package)
    lines = [
        f"{name} {version}: {weakness}, mended in {' or '.join(mended) or 'no version'}"
        for name, version, weakness, *mended in sorted(known)
    ]
    if skipped:
        lines.append(f"audit: {len(skipped)} of {len(packages)} packages are in no database that"
                     f" can be reached, nothing is known of them: {skipped[0]}, …")  # fmt: skip
    elif not known:
        lines.append(f"audit: {len(packages)} packages, no weakness is known")
    status = KNOWN if known else NO_DATABASE if skipped else NONE_KNOWN
    return Audit(status, tuple(lines))
