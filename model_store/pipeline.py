"""From a SavedModel directory to a published version: golden pictures, variants, card, files.

Every way into the store ends here, so that no version lacks what a worker relies on.
"""

from dataclasses import replace
from pathlib import Path

from model_store import golden, picture_sets, runtimes, variants
from model_store.card import ModelCard
from model_store.picture_sets import PictureSets
from model_store.reports import Report
from model_store.store import ModelStore
from model_store.variants import Bench


def publish(
    store: ModelStore,
    directory: Path,
    draft: ModelCard,
    *,
    sets: PictureSets | None = None,
    report: Report,
) -> ModelCard:
    """Make the variants and the golden pictures of a SavedModel directory, and publish it.

    Args:
        store: Where the model is published.
        directory: Holds a SavedModel whose `serving_default` takes uint8 `images` [N, H, W, 3] and
            gives float32 `probabilities` [N, classes]; what is made is written beside it. Where the
            draft's reference is another runtime: that one's artifact, of the same input and output.
        draft: The card without variants.
        sets: Pictures that variants are compared on and int8 ones are calibrated on; drawn ones by
            default, and int8 variants, made and recorded, may not serve then.
        report: Called with a short sentence at the start of each step.

    Raises:
        ModelFormatError: the card breaks its schema, or the SavedModel cannot be used.
        RuntimeUnavailableError: TensorFlow is not installed.
    """
    sets = sets or picture_sets.choose(draft, None, report)
    report(f"Measuring it with {draft.reference}, its reference")
    own = variants.own_artifact(directory, draft)
    saved_model = runtimes.load(draft.reference, own, draft, threads=1)
    pictures = golden.write(directory, draft.preprocessing, saved_model.predict)
    draft = replace(draft, golden=pictures)
    made = variants.make(Bench.build(directory, draft, sets, saved_model), report=report)
    report("Publishing")
    return store.publish(directory, replace(draft, variants=made))
