"""What was measured of doubts, as lines that a command ends with."""

from collections.abc import Iterator

from model_store.doubts.section import DRAWN, Foreign, Trust


def of(trust: Trust) -> Iterator[str]:
    """Yield what the answers say of themselves, as far as it was measured."""
    if sets := trust.label_sets:
        yield (
            f"Label sets hold the true label for {100 * sets.covered.share:.1f}%, "
            f"with {sets.mean_labels:.2f} labels on average"
        )
    if novelty := trust.novelty:
        own = f"{100 * novelty.own_flagged.share:.1f}% of its own pictures"
        yield f"Called unknown: {_foreign(novelty.foreign)}{own}"


def _foreign(found: Foreign | None) -> str:
    if found is None:
        return ""
    kind = "drawn pictures" if found.kind == DRAWN else f"photographs in {found.source}"
    return f"{100 * found.flagged.share:.1f}% of {found.flagged.pictures} {kind}, "
