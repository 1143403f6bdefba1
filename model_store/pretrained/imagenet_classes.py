"""The classes of ILSVRC-2012 in their order, which networks trained on ImageNet answer with.

Each has the first name of its WordNet noun; four that collide (two cranes, two maillots) were told
apart by hand.
"""

from importlib import resources

BACKGROUND = "background"


def labels(*, background: bool = False) -> tuple[str, ...]:
    """Return the 1,000 labels.

    With `background` a class 0 of that name precedes them, as in the networks of TF-Slim.
    """
    text = resources.files("model_store.pretrained").joinpath("imagenet_labels.txt")
    found = tuple(text.read_text("utf-8").splitlines())
    return (BACKGROUND, *found) if background else found
