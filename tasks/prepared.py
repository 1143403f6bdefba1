"""A job's upload as the pixels that a model takes, within the limits of the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tasks.settings import settings

if TYPE_CHECKING:
    from model_store.preprocessing import Prepared
    from model_store.serving import ServedModel


def prepared(model: ServedModel, upload: bytes) -> Prepared:
    """Return the pixels of an upload, and what its client should know about them.

    Raises:
        ImageError: the upload cannot be classified; the class says why.
    """
    limits = settings()
    return model.prepared(
        upload, max_pixels=limits.max_pixels, show_cut_off=limits.cut_off_jpegs == "show"
    )
