"""The pictures of a run when it is known which of them are used for what."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.pictures.data import DataSet, Picture
from training.pictures.sources import Source
from training.pictures.split import Split


@dataclass(frozen=True)
class Prepared:
    """The pictures of a run: where they are, what the check found, how they were split."""

    source: Source
    data: DataSet
    split: Split

    def truth(self, pictures: tuple[Picture, ...]) -> NDArray[np.int64]:
        """Return the class index of each picture, [N]."""
        place = {label: i for i, label in enumerate(self.data.labels)}
        return np.array([place[picture.label] for picture in pictures], np.int64)
