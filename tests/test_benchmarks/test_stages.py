"""How sampled stacks become stages, and the counts beside them."""

from collections import Counter

from benchmarks import counted_calls, stages

PROFILE = """\
<module> (celery/__main__.py:1);classify (tasks/classify.py:9);finish (tasks/jobs.py:3);send (redis/client.py:2) 30
<module> (celery/__main__.py:1);classify (tasks/classify.py:9);ServedModel.predict (model_store/serving.py:7) 60
<module> (celery/__main__.py:1);Consumer.start (celery/worker/consumer.py:4);_epoll.poll (kombu/utils/eventio.py:83) 500
main (elsewhere.py:1) 10
"""  # noqa: E501 - as py-spy writes it

SUMMARY = """\
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 60.00    0.000600           3       200           read
 40.00    0.000400           4       100        12 futex
------ ----------- ----------- --------- --------- ----------------
100.00    0.001000           3       300        12 total
"""


def test_a_stack_belongs_to_the_innermost_stage() -> None:
    """The client of Redis below `finish` is `finish`; a thread that waits costs nothing."""
    assert Counter(predict=60, finish=30, **{stages.REST: 10}) == stages.samples(PROFILE)


def test_cpu_time_is_divided_as_the_samples_are() -> None:
    """The kernel's count is kept; where nothing was sampled it stands as a whole."""
    assert stages.shared(Counter(predict=60, finish=20), 4.0) == {"predict": 3.0, "finish": 1.0}
    assert stages.shared(Counter(), 4.0) == {stages.REST: 4.0}


def test_every_stage_has_its_row() -> None:
    """A stage that the order forgets would be missing from the table, and its time from the sum."""
    assert {name for name, _ in stages.STAGES} < set(stages.ORDER)
    assert "| predict | 3.00 |  | **3.00** |" in stages.rows({"a": {"predict": 3.0}, "b": {}})


def test_the_total_of_a_trace_is_read() -> None:
    """`strace -c` writes a summary; a process without calls writes none."""
    assert counted_calls.calls(SUMMARY) == 300
    assert counted_calls.calls("") == 0
