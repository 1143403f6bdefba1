"""Bulk: one request with many pictures, done in packs beside the single ones and never before them.

The request's body is one object in the image store; a first job lists what is in it, and each pack
is a slice of that list: an ordinary job of the ledger, which ends with an entry of results.
"""
