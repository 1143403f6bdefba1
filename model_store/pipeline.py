"""From a SavedModel directory to a published version: variants, golden pictures, card, files.

Every way into the store ends here, so that no version lacks what a worker relies on.
"""

from dataclasses import replace
from pathlib import Path

from model_store import variants
from model_store.card import ModelCard
from model_store.installers import Report
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
    """Make the variants and the golden pictures of a SavedModel directory, and publish it.

    Args:
        store: Where the model is published.
        directory: Holds a SavedModel whose `serving_default` takes uint8 `images` [N, H, W, 3] and
            gives float32 `probabilities` [N, classes]; what is made is written beside it.
        draft: The card without variants.
        calibration: Directory of pictures that int8 variants are calibrated and judged on.
        report: Called with a short sentence at the start of each step.

    Raises:
        ModelFormatError: the card breaks its schema, or the SavedModel cannot be used.
    """
    del calibration
    images = variants.textures(COMPARED_PICTURES, input_size=draft.preprocessing.input_size)
    made = variants.make(directory, draft, images=images, report=report)
    report("Publishing")
    return store.publish(directory, replace(draft, variants=made))
