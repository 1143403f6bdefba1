"""The user's photographs: where they come from, which are usable, and which part each is in.

Nothing here knows a network; what is learned from the pictures is the business of `learning`.
"""
