"""Training: from a folder of photographs to the next version of a model.

`run` tells it phase by phase; `pictures`, `learning`, `judging`, `reporting` and `publishing` each
do a part of it.
"""
