"""A trained model before it is published or written anywhere."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from model_store import heavy
from model_store.doubts.examples import Examples
from model_store.doubts.likeness import Likeness
from model_store.doubts.section import Trust
from training.learning.backbone import Backbone
from training.learning.dense import Dense


@dataclass(frozen=True)
class Trained:
    """A model that is ready to be used: logits / temperature go into the softmax.

    `features` is the SavedModel directory of its backbone: uint8 images in, features out. `int8`
    tells whether int8 variants are wanted. `trust` is what was measured of its doubts, by the files
    of `likeness`, whose references `examples` tells of.
    """

    backbone: Backbone
    features: Path
    dense: Dense
    labels: tuple[str, ...]
    temperature: float
    metrics: dict[str, float]
    int8: bool = False
    trust: Trust | None = None
    likeness: Likeness | None = None
    examples: Examples | None = None

    @property
    def description(self) -> bytes:
        """JSON that is equal, byte for byte, for equal models that were measured to be so."""
        head = self.dense.weights.tobytes() + self.dense.bias.tobytes()
        facts = {
            "backbone_sha256": self.backbone.identity,
            "head_sha256": hashlib.sha256(head).hexdigest(),
            "temperature": self.temperature,
            "labels": self.labels,
            "preprocessing": asdict(self.backbone.spec),
            "metrics": self.metrics,
            "int8": self.int8,
            "trust": self.trust and self.trust.to_dict(),
        }
        if self.examples and self.examples.are_shown:
            facts["thumbnails"] = True
        return json.dumps(facts, indent=1, ensure_ascii=False).encode("utf-8", "backslashreplace")

    def save(self, directory: Path) -> None:
        """Write a SavedModel: uint8 `images` in, `probabilities` out."""
        heavy.prepare()
        from training.learning import graphs  # noqa: PLC0415 - TensorFlow

        graphs.save_classifier(
            self.features, self.backbone.spec, self.dense, directory, temperature=self.temperature
        )
