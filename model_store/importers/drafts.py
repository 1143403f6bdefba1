"""Puts an imported network behind its preprocessing, checks it, and writes it as a SavedModel."""

from dataclasses import replace
from pathlib import Path

import tensorflow as tf

from model_store.card import ModelCard, PreprocessingSpec
from model_store.errors import ImportOptionError
from model_store.importers import ImportOptions, labels, probing, saving
from model_store.importers.networks import Network
from model_store.importers.probing import Rows
from model_store.reports import Report
from model_store.runtimes.tensorflow import limit_threads

# Of two labels that one number became.
CONCATENATED = "ConcatV2"


def draft(
    network: Network, options: ImportOptions, directory: Path, *, report: Report
) -> ModelCard:
    """Write the checked network into `directory` and return the draft of its card.

    Raises:
        ImportOptionError: mean and scale, or the labels, are missing or do not fit.
        ModelFormatError: the network is no classifier that can be served.
    """
    # One thread, like a worker child, so that the times measured later are the ones it will see.
    limit_threads(1)
    spec = preprocessing(network, options)
    for note in network.notes:
        report(note)
    graph = saving.Graph(lambda pixels: network.function(pixels)[0], network.dtype, spec)
    report("Trying it on drawn pictures")
    rows = probing.answers(lambda images: graph.rows(tf.constant(images)).numpy(), spec.input_size)
    last_operation = network.last_operation
    if rows.shape[1] == 1:
        graph, rows = _of_two_labels(graph, rows, last_operation, report)
        last_operation = CONCATENATED
    logits = probing.are_logits(rows, last_operation)
    report(f"It gives {'logits, which get a softmax' if logits else 'probabilities'}")
    found = labels.find(options.labels, network.beside, classes=rows.shape[1])
    report("Writing the SavedModel")
    saving.write(graph, directory, logits=logits)
    return ModelCard(
        name=options.name,
        labels=found,
        preprocessing=spec,
        variants=(),
        licence=options.licence,
        origin=network.origin,
    )


def _of_two_labels(
    graph: saving.Graph, rows: Rows, last_operation: str, report: Report
) -> tuple[saving.Graph, Rows]:
    """Return a network of one number with two probabilities, and its answers: 1 - p and p."""
    is_probability = probing.is_probability(rows, last_operation)
    report(
        f"Its one number is a {'probability' if is_probability else 'logit, which gets a sigmoid'}:"
        " that of the second label"
    )

    def predict(pixels: tf.Tensor) -> tf.Tensor:
        number = tf.cast(graph.predict(pixels), tf.float32)
        second = number if is_probability else tf.sigmoid(number)
        return tf.concat([1 - second, second], axis=1)

    two = replace(graph, predict=predict)
    images = tf.constant(probing.pictures(graph.spec.input_size))
    return two, two.rows(images).numpy()


def preprocessing(network: Network, options: ImportOptions) -> PreprocessingSpec:
    """Return the preprocessing of the card: what the user said, else what such networks expect.

    Raises:
        ImportOptionError: mean and scale are needed and not known, or given and not needed.
    """
    size = network.input_size
    if network.dtype == tf.uint8:
        if options.mean or options.scale:
            raise ImportOptionError(
                "the network takes uint8 pixels and normalises them itself; leave --mean and "
                "--std out"
            )
        return options.preprocessing(mean=(0.0,) * 3, scale=(1.0,) * 3, input_size=size)
    mean, scale = options.mean or network.mean, options.scale or network.scale
    if mean is None or scale is None:
        raise ImportOptionError(
            "the network takes float32 pixels; say with --mean and --std how 0 to 255 become its "
            "numbers, (pixel - mean) / std: 0 and 255 for 0 to 1, 127.5 and 127.5 for -1 to 1, "
            "0 and 1 for pixels as they are"
        )
    return options.preprocessing(mean=mean, scale=scale, input_size=size)
