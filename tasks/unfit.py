"""Variants that do not serve on the CPU of some child, as `/readyz` warns of them.

Pictures are answered all the same, by another variant of the version.
"""

from collections import Counter

from tasks import readiness, stores
from tasks.errors import ServiceUnavailableError


def warnings() -> tuple[str, ...]:
    """Return a sentence for each variant and reason, with the number of children that say it."""
    try:
        children = readiness.classify_children(stores.prompt_job_store())
    except ServiceUnavailableError:
        # That is said by a check of its own.
        return ()
    said = Counter(item for child in children for item in (child.unfit or {}).items())
    return tuple(
        f"{variant} is not fit for the CPU of {n} of {len(children)} children: {reason}"
        for (variant, reason), n in sorted(said.items())
    )
