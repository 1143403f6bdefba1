"""What a model says of one picture; it loads no NumPy, so that the API may describe it."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field


@dataclass(frozen=True)
class Prediction:
    """One label with its class index and its probability, from 0 to 1."""

    label: str
    class_index: Annotated[int, Field(ge=0)]
    probability: Annotated[float, Field(ge=0, le=1)]
