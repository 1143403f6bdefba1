"""What can be said to `petiole train`: one field for each flag and for each line of a TOML file.

The names are those of the tutorial's `retrain.py`, so that its command lines go on working.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from model_store.references import is_name
from training import image_dir
from training.errors import SettingsError
from training.image_dir import PicturesPlace

SplitBy = Literal["auto", "folder", "content"]
Percentage = Annotated[int, Field(ge=1, le=80)]
Share = Annotated[float, Field(ge=0, le=1)]
Balance = Literal["uniform", "weights", "none"]

DEFAULT_STEPS = 4000
DEFAULT_LEARNING_RATE = 0.01
DEFAULT_BATCH_SIZE = 100


WRITTEN = (
    *("bottleneck_dir", "output_graph", "output_labels", "saved_model_dir"),
    *("summaries_dir", "runs_dir"),
)
"""Fields that say where a run writes. Only who runs it says that: no message may."""


class TrainingPlaces(BaseSettings):
    """Where this machine keeps what training leaves."""

    model_config = SettingsConfigDict(env_prefix="PETIOLE_TRAINING_", frozen=True)

    directory: Path = Field(
        default=Path("var/training"),
        description="Directory of training: features kept between runs, and the runs' reports.",
    )


class TrainingSettings(BaseModel):
    """Everything that decides what a run does. Paths are relative to the current directory."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    image_dir: PicturesPlace = Field(
        description=(
            "Folder with one folder of pictures for each label, an archive of such a folder, "
            "s3://bucket/prefix, or a CSV file with the columns path, label and group."
        )
    )
    split: SplitBy = Field(
        default="auto",
        description=(
            "folder: folders train, valid and test around or in the label folders are kept as "
            "the split; content: outer folders are labels whatever they are called, and content "
            "divides; auto: folder, where there are such folders."
        ),
    )
    name: str = Field(
        default="",
        description="Name of the model in the store; the name of image_dir when left out.",
    )
    check: bool = Field(
        default=False, description="Look at the pictures, say what is wrong with them, and stop."
    )
    testing_percentage: Percentage = Field(
        default=10, description="Share of the pictures, in percent, that only judges the result."
    )
    validation_percentage: Percentage = Field(
        default=10, description="Share of the pictures, in percent, that settings are chosen on."
    )
    cross_validate: int | None = Field(
        default=None,
        ge=2,
        le=20,
        description=(
            "Train and judge this many times, each time on other pictures, so that every picture "
            "judges once; print how good such a model is, and publish nothing."
        ),
    )
    backbone: str = Field(
        default="efficientnet-lite0",
        description=(
            "Pre-trained network that turns pictures into features: efficientnet-lite0, -lite1, "
            "-lite2, keras:NAME for a Keras application, or hub:HANDLE."
        ),
    )
    tfhub_module: str = Field(
        default="",
        description="Handle or folder of a TF Hub module; the same as backbone hub:HANDLE.",
    )
    backbone_weights: Path | None = Field(
        default=None, description="File with weights for a Keras application."
    )
    input_size: int | None = Field(
        default=None,
        ge=32,
        le=1024,
        description="Height and width of the network's input in pixels, where it leaves a choice.",
    )
    foreign: Path | None = Field(
        default=None,
        description="Folder with photographs of other things, in any depth, to see how many of "
        "them the model calls unknown; drawn pictures when left out.",
    )
    keep_thumbnails: bool = Field(
        default=False,
        description="Keep small copies and file names of up to 500 training pictures in the "
        "version, for answers that name look-alikes. Whoever may ask the service may see them.",
    )
    bottleneck_dir: Path = Field(
        default_factory=lambda: TrainingPlaces().directory / "features",
        description="Folder that features are kept in between runs; it may be deleted.",
    )
    flip_left_right: bool = Field(
        default=False,
        description="Train also on pictures that are mirrored at random. Fine-tuning has flags of "
        "its own for what it sees.",
    )
    random_crop: int = Field(
        default=0, ge=0, le=90, description="Train also on crops with this margin, in percent."
    )
    random_scale: int = Field(
        default=0, ge=0, le=400, description="Train also on views enlarged by up to this percent."
    )
    random_brightness: int = Field(
        default=0,
        ge=0,
        le=99,
        description="Train also on pictures up to this percent brighter or darker.",
    )
    augmented_views: int = Field(
        default=4,
        ge=1,
        le=64,
        description="Changed views of each picture, when any of the four "
        "flags above is given; they are made once and kept like features.",
    )
    class_balance: Balance = Field(
        default="uniform",
        description="uniform: every label counts the same however many pictures it has, as in "
        "retrain.py; weights: the same by weighting instead of drawing, which differs only with "
        "steps; none: every picture counts the same.",
    )
    how_many_training_steps: int | None = Field(
        default=None,
        ge=1,
        description=(
            "Train the last layer with this many steps of gradient descent, as retrain.py did. "
            "When neither this nor the next two are given it is solved exactly, which is faster "
            f"and better. With one of them the others are {DEFAULT_STEPS} steps, rate "
            f"{DEFAULT_LEARNING_RATE} and {DEFAULT_BATCH_SIZE} pictures."
        ),
    )
    learning_rate: float | None = Field(
        default=None, gt=0, description="Rate of the gradient descent; see how_many_training_steps."
    )
    train_batch_size: int | None = Field(
        default=None, ge=1, description="Pictures in a step; see how_many_training_steps."
    )
    eval_step_interval: int = Field(
        default=10, ge=1, description="Steps between two looks at the validation pictures."
    )
    seed: int = Field(default=0, ge=0, description="The same seed gives the same model.")
    fine_tune: bool = Field(
        default=False,
        description="Afterwards train the backbone and the last layer together, and keep both "
        "unless the loss on the validation pictures is clearly larger. It takes minutes; "
        "cross_validate shows what it brings.",
    )
    fine_tune_epochs: int = Field(
        default=15, ge=1, description="How often fine-tuning sees every training picture."
    )
    fine_tune_learning_rate: float = Field(
        default=0.0002,
        gt=0,
        description="Rate of fine-tuning: it rises to about this in an epoch, then falls to 0.",
    )
    fine_tune_batch_size: int = Field(
        default=32, ge=2, description="Pictures in one step of fine-tuning."
    )
    fine_tune_layers: int = Field(
        default=99,
        ge=1,
        description="How many of the backbone's last layers fine-tuning changes.",
    )
    fine_tune_least_area: float = Field(
        default=0.35,
        gt=0,
        le=1,
        description="Smallest share of a picture that fine-tuning sees at a time; of a picture "
        "longer than 5:2 it may be less.",
    )
    fine_tune_flip_left_right: bool = Field(
        default=True,
        description="Mirror every second picture in fine-tuning; not where left and right matter.",
    )
    label_smoothing: float = Field(
        default=0.1, ge=0, lt=1, description="Share of certainty that fine-tuning takes away."
    )
    assert_accuracy_at_least: Share | None = Field(
        default=None, description="Publish only if top-1 accuracy on the test pictures reaches it."
    )
    min_recall: Share | None = Field(
        default=None, description="Publish only if the recall of every label reaches it."
    )
    not_worse_than_production: bool = Field(
        default=False,
        description="Publish only if the version in production is not better on the same test set.",
    )
    publish: bool = Field(default=True, description="Publish the model to the store.")
    int8: bool = Field(
        default=False,
        description="Also publish int8 variants, calibrated on training pictures and held against "
        "the model on test pictures; they serve if they agree. Takes half a minute more.",
    )
    output_graph: Path | None = Field(
        default=None, description="File for a frozen graph (Placeholder to final_result)."
    )
    output_labels: Path | None = Field(
        default=None, description="File for the labels, one a line, in class order."
    )
    final_tensor_name: str = Field(
        default="final_result",
        pattern=r"^[A-Za-z][A-Za-z0-9_]*$",
        description="Name of the answer in the frozen graph.",
    )
    saved_model_dir: Path | None = Field(
        default=None, description="Folder for the SavedModel; it must be empty or absent."
    )
    print_misclassified_test_images: bool = Field(
        default=False, description="Print each test picture that got a wrong label."
    )
    summaries_dir: Path | None = Field(
        default=None,
        description="Folder for TensorBoard summaries; each run adds its own, nothing is deleted.",
    )
    runs_dir: Path = Field(
        default_factory=lambda: TrainingPlaces().directory / "runs",
        description="Folder that gets one folder for each run: report, events, settings.",
    )

    @property
    def pictures_name(self) -> str:
        """What the pictures are called: the last part of their place."""
        return image_dir.name_at(self.image_dir)

    @property
    def backbone_reference(self) -> str:
        """The backbone that was asked for; `tfhub_module` goes first."""
        return f"hub:{self.tfhub_module}" if self.tfhub_module else self.backbone

    @property
    def augments(self) -> bool:
        """Whether training sees changed views of the pictures."""
        distortions = (self.random_crop, self.random_scale, self.random_brightness)
        return self.flip_left_right or any(distortions)

    @property
    def descends(self) -> bool:
        """Whether the last layer is trained in steps, as retrain.py did."""
        steps = (self.how_many_training_steps, self.learning_rate, self.train_batch_size)
        return any(value is not None for value in steps)

    @model_validator(mode="after")
    def _leaves_pictures_to_train_on(self) -> Self:
        held_out = self.testing_percentage + self.validation_percentage
        if held_out > 90:  # noqa: PLR2004 - the sentence below says it
            raise ValueError(f"testing and validation take {held_out} percent; at most 90 may go")
        return self


def settings_of(values: Mapping[str, Any]) -> TrainingSettings:
    """Return the settings with these values of fields, and defaults for the others.

    Raises:
        SettingsError: names each field that is wrong, its value and what is expected.
    """
    try:
        return TrainingSettings(**values)
    except ValidationError as exc:
        raise SettingsError(_sentence(exc)) from exc


def settings_from_afar(values: Mapping[str, Any]) -> TrainingSettings:
    """Return the same for values that came in a message, whose sender may say no place to write.

    Raises:
        SettingsError: as above, or it says one.
    """
    if said := [name for name in WRITTEN if name in values]:
        raise SettingsError(f"{said[0]} is the training worker's to say; leave it out")
    return settings_of(values)


def name_of(settings: TrainingSettings) -> str:
    """Return the model's name: what was said, or the name of the pictures' folder.

    Raises:
        SettingsError: that is no name that the store takes.
    """
    name = settings.name or image_dir.model_name_from(settings.pictures_name)
    if not is_name(name):
        raise SettingsError(
            f"name is {name!r}; give --name with at most 64 lower-case letters, digits, dots, "
            "dashes and underscores"
        )
    return name


def _sentence(exc: ValidationError) -> str:
    parts = []
    for error in exc.errors():
        name = ".".join(map(str, error["loc"]))
        parts.append(f"{name} is {error['input']!r}: {error['msg']}" if name else error["msg"])
    return "; ".join(parts)
