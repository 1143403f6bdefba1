"""The next version of a model: the same network, with what was measured beside it."""

from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from model_store import ModelCard, ModelStore, agreement, golden, runtimes, verification
from model_store.agreement import INT8
from model_store.card import UNPUBLISHED, Variant
from model_store.doubts import scaling
from model_store.doubts.examples import FOLDER
from model_store.doubts.section import Trust
from model_store.errors import RuntimeUnavailableError
from model_store.picture_sets import UNKNOWN
from training.calibration.looking import Looking, loaded
from training.judging.evaluation import Evaluation
from training.judging.trust import Measured
from training.publishing.publication import DESCRIPTION
from training.reporting import report
from training.reporting.record import Run


@dataclass(frozen=True, eq=False)
class NextVersion:
    """What the next version is made of."""

    store: ModelStore
    card: ModelCard
    looking: Looking
    measured: Measured
    found: Evaluation

    def publish(self, run: Run, others: Path | None) -> ModelCard:
        """Publish the same network with what was measured, and return its card."""
        draft = replace(
            self.card, trust=self.measured.trust, version=UNPUBLISHED, created_at="", files={}
        )
        with TemporaryDirectory(prefix="petiole-calibrate-") as place:
            directory = Path(place)
            # Whoever trains the same again has not published it with these doubts.
            kept = [path for path in self.card.files if not _is_made_anew(path)]
            verification.copy(self.looking.directory, kept, directory)
            if self.measured.likeness is not None:
                self.measured.likeness.save(directory)
            if self.measured.examples is not None:
                self.measured.examples.save(directory)
            variants = self._with_golden_answers(directory, draft)
            report.write(
                directory,
                run,
                self.found,
                self.measured,
                pictures=self.looking.source.read,
                foreign_pictures=(lambda path: (others / path).read_bytes()) if others else None,
            )
            return self.store.publish(directory, replace(draft, variants=variants))

    def _with_golden_answers(self, directory: Path, draft: ModelCard) -> tuple[Variant, ...]:
        """Answer the golden pictures anew, and let int8 be as far off them as it is now."""
        network = loaded(self.card, directory)
        before = golden.one_by_one(network.predict, golden.images(directory))
        expected = scaling.scaled(before, (draft.trust or Trust()).temperature_after)
        np.save(directory / golden.PROBABILITIES, expected)
        return tuple(_rejudged(each, directory, draft, expected) for each in draft.variants)


def _is_made_anew(path: str) -> bool:
    """Tell whether a file goes with what was measured: no picture is shown that was not agreed."""
    return path == DESCRIPTION or path.startswith(FOLDER)


def _rejudged(
    variant: Variant, directory: Path, draft: ModelCard, expected: NDArray[np.float32]
) -> Variant:
    """Return an int8 variant with the tolerance that the temperature leaves it."""
    if variant.precision != INT8 or not variant.serves:
        return variant
    with suppress(RuntimeUnavailableError):
        artifact = runtimes.load(variant.runtime, directory / variant.path, draft, threads=1)
        answers = golden.one_by_one(artifact.predict, golden.images(directory))
        unknown = np.full(len(answers), UNKNOWN, np.intp)
        found = agreement.compare(answers, expected, unknown)
        return replace(variant, tolerance=agreement.tolerance(INT8, found))
    return variant
