"""What a bulk's body may be, read within bounds: forms, zip and tar archives, lists, buckets.

Each source gives a `Found` for every picture, one after the other, and holds none of them.
"""
