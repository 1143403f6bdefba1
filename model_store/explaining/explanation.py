"""One picture and label in, a heat map with its figures out."""

from dataclasses import dataclass
from io import BytesIO
from typing import Self

import numpy as np
from numpy.typing import NDArray

from model_store.errors import UnknownLabelError
from model_store.explaining import deletion, occlusion, overlay
from model_store.explaining.activation import ActivationMaps
from model_store.explaining.deletion import Deletion
from model_store.explaining.maps import HeatMap
from model_store.explaining.masking import Predict
from model_store.serving import ServedModel


@dataclass(frozen=True, eq=False)
class Explanation:
    """Why a model gave a label to a picture, and whether that can be believed.

    Attributes:
        label: What is explained.
        probability: The label's on the whole picture.
        heat: Which parts speak for it.
        deletion: How the map fares against random orders.
        pixels: What the network saw [H, W, 3], in RGB order.
    """

    label: str
    probability: float
    heat: HeatMap
    deletion: Deletion
    pixels: NDArray[np.uint8]

    def png(self) -> bytes:
        """Return the map over the picture, as a PNG."""
        return overlay.png(self.pixels, self.heat)

    def npy(self) -> bytes:
        """Return the map's cells [rows, columns] as NumPy stores float32."""
        buffer = BytesIO()
        np.save(buffer, self.heat.cells, allow_pickle=False)
        return buffer.getvalue()


@dataclass(frozen=True, eq=False)
class Explainer:
    """What explains the answers of one served version; `maps` where its network allows them."""

    model: ServedModel
    maps: ActivationMaps | None

    @classmethod
    def of(cls, model: ServedModel) -> Self:
        """Return what explains the answers of a model."""
        return cls(model, ActivationMaps.of(model.card, model.directory))

    def explain(
        self, pixels: NDArray[np.uint8], label: str = "", *, predict: Predict | None = None
    ) -> Explanation:
        """Return why pixels [H, W, 3], as `ServedModel.prepare` gives them, have a label.

        Class activation is tried first; where that map is no better than random orders, occlusion
        is as well, and the better one of the two is taken.

        Args:
            pixels: The picture.
            label: One of the card's; the best one where it is empty.
            predict: What predicts, if it is not the model itself.

        Raises:
            UnknownLabelError: the version has no such label.
        """
        predict = predict or self.model.predict
        class_index = self._class_of(label, pixels, predict)
        heat, found = self._best(predict, pixels, class_index)
        is_bgr = self.model.card.preprocessing.channel_order == "BGR"
        return Explanation(
            label=self.model.card.labels[class_index],
            probability=found.whole,
            heat=heat,
            deletion=found,
            pixels=np.ascontiguousarray(pixels[..., ::-1]) if is_bgr else pixels,
        )

    def _best(
        self, predict: Predict, pixels: NDArray[np.uint8], class_index: int
    ) -> tuple[HeatMap, Deletion]:
        tried = []
        if self.maps is not None:
            heat = self.maps.heat_map(pixels, class_index)
            tried.append((heat, deletion.measure(predict, pixels, class_index, heat)))
            if tried[0][1].explains:
                return tried[0]
        heat = occlusion.heat_map(predict, pixels, class_index)
        tried.append((heat, deletion.measure(predict, pixels, class_index, heat)))
        return min(tried, key=lambda each: each[1].figure)

    def _class_of(self, label: str, pixels: NDArray[np.uint8], predict: Predict) -> int:
        labels = self.model.card.labels
        if not label:
            return int(predict(pixels[None])[0].argmax())
        if label not in labels:
            raise UnknownLabelError(f"{self.model.card.ref} has no label {label!r}")
        return labels.index(label)
