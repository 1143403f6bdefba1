"""The routes of two well-known inference servers, on the same jobs as everything else.

A picture of theirs is a job like any other: accepted whole, counted, owned, and asked for by its id
if the answer does not come in time.
"""
