"""What a child tells its main process comes through as it was."""

import pytest
from celery.utils.saferepr import saferepr
from hypothesis import given
from hypothesis import strategies as some

from tasks.told import MOST_CHARACTERS, Told, ToldOfMany

_told = some.builds(Told, some.uuids().map(str), some.floats(0, 2e9), some.floats(0, 60))


@given(
    some.builds(ToldOfMany, some.text(max_size=80), some.floats(0, 60), some.tuples(_told, _told))
)
def test_it_comes_back_from_the_text_that_celery_makes(told: ToldOfMany) -> None:
    """Whatever is in a label, and within the characters that the task allows."""
    assert ToldOfMany.read(saferepr(told, MOST_CHARACTERS)) == told


@pytest.mark.parametrize("text", ["", "None", "{'state': 'SUCCESS'}"])
def test_the_result_of_another_task_is_none_of_it(text: str) -> None:
    """A download has one as well."""
    assert ToldOfMany.read(text) is None
