"""A version that is in the store gets what is measured of its doubts, on labelled photographs."""
