"""What may be chosen for one picture, however it comes: over HTTP, or in a message of a program."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from model_store.predictions import MOST_NEIGHBOURS
from model_store.settings import ModelSettings
from tasks.once import once


@once
def default_model() -> str:
    """Return the model that classifies when the client names none; read once."""
    return ModelSettings().default_model


Unknown = Literal["report", "ignore"]
MinProbability: Any = Field(
    default=0.0,
    ge=0,
    le=1,
    allow_inf_nan=False,
    description="Labels with a smaller probability are left out, all of them if need be.",
)
AskUnknown: Any = Field(
    default="report",
    description="`ignore` leaves out whether the picture is like those that the model was trained"
    " on: no `novelty`, and no verdict `unknown`.",
)

Neighbours: Any = Field(
    default=0,
    ge=0,
    le=MOST_NEIGHBOURS,
    description="How many training pictures that look most like this one to name; not every version"
    " can.",
)


class PictureOptions(BaseModel):
    """What the answer depends on, beside the picture."""

    model_config = ConfigDict(frozen=True)

    model: str = Field(
        default_factory=default_model,
        description="`name`, `name@version` or `name@alias`; the default model when left out.",
    )
    top_k: int = Field(default=5, ge=1, le=1000, description="How many labels to return.")
    min_probability: float = MinProbability
    unknown: Unknown = AskUnknown
    neighbours: int = Neighbours
