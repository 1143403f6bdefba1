"""A short part of `make fuzz`: requests that are made of our OpenAPI, with every check on."""

import pytest

from chaos.hostile import contract

pytestmark = pytest.mark.end_to_end


def test_requests_are_answered_as_specified() -> None:
    """Allowed and forbidden ones, alone and in sequences; no traceback in the service's log."""
    found = contract.checked(contract.Extent(examples=4), seed=1)

    assert (found.failures, found.broken) == ({}, ()), found.said
    assert found.operations > 10
    assert found.requests > 100
