"""`petiole train` and `petiole label-image`: their flags are read where their names come from."""

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from training.settings import TrainingSettings

# Flags with underscores, and a list of them as long as retrain.py's, are the programs' own.
_AS_IT_IS = {"allow_extra_args": True, "ignore_unknown_options": True}

LABELLING = {
    "label-image": "Classify pictures, folders or a pipe without any server.",
    "label_image": "The same, with the output of TensorFlow's label_image.py.",
}


def register(app: typer.Typer) -> None:
    """Add both commands to the command line."""
    app.command("train", context_settings=_AS_IT_IS, add_help_option=False)(train)
    for name, text in LABELLING.items():
        app.command(name, context_settings=_AS_IT_IS, add_help_option=False, help=text)(label)


def train(context: typer.Context) -> None:
    """Train a model on a folder of pictures and publish it; see `petiole train --help`."""
    # Imported here: the other commands need none of it.
    from training import command  # noqa: PLC0415

    raise typer.Exit(command.main(context.args, enqueue=_enqueue, api_url=_api_url))


def _api_url() -> str:
    from api.settings import ApiSettings  # noqa: PLC0415 - as above
    from petiole import parts  # noqa: PLC0415 - as above

    return parts.url_of(ApiSettings().host, ApiSettings().port)


def _enqueue(settings: "TrainingSettings") -> int:
    from petiole import enqueue_command  # noqa: PLC0415

    return enqueue_command.enqueue(settings)


def label(context: typer.Context) -> None:
    """Hand the words of either command on."""
    from petiole import label_image_command  # noqa: PLC0415

    raise typer.Exit(label_image_command.main(context.args, name=str(context.info_name)))
