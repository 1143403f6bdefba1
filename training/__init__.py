"""Training: from a folder of photographs to the next version of a model."""
