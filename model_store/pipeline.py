"""From a SavedModel directory to a published version: its variants are made and measured here.

Importers and installers end with `publish`.
"""

from dataclasses import replace
from pathlib import Path

from model_store import variants
from model_store.card import ModelCard
from model_store.reports import Report
from model_store.store import ModelStore

COMPARED_PICTURES = 32


def publish(
    store: ModelStore,
    directory: Path,
    draft: ModelCard,
    *,
    calibration: Path | None = None,
    report: Report,
) -> ModelCard:
    """Make the variants of a SavedModel directory, and publish it; return its card.

    Args:
        store: Where the version is published.
        directory: A SavedModel whose `serving_default` takes uint8 `images` [N, H, W, 3] and
            gives float32 `probabilities` [N, classes] whose rows sum to 1.
        draft: The card without variants.
        calibration: Pictures to measure on; drawn ones are used.
        report: Called with a short sentence at the start of each step.
    """
    del calibration
    size = draft.preprocessing.input_size
    images = variants.textures(COMPARED_PICTURES, input_size=size)
    made = variants.make(directory, draft, images=images, report=report)
    report("Publishing")
    return store.publish(directory, replace(draft, variants=made))
