"""`benchmarks.trace_costs`: what it calls is what the service calls, and what its table says."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import trace_costs
from benchmarks.otlp import receiving
from tasks.tracing import recording
from tests.conftest import ROOT

FOR_NO_NEW_PICTURE = {"accepted_before"}
"""A request that is sent again: it adds no picture."""


def called(file: Path) -> set[str]:
    """Return the functions of `tasks.tracing.spans` that a module calls."""
    calls = [node.func for node in ast.walk(ast.parse(file.read_text())) if is_call(node)]
    return {call.attr for call in calls}


def is_call(node: ast.AST) -> bool:
    """Tell whether a node is a call of `spans.something`."""
    name = getattr(getattr(node, "func", None), "value", None)
    return isinstance(name, ast.Name) and name.id == "spans"


def everywhere() -> Iterator[str]:
    """Yield what API and workers call."""
    for room in ("api", "tasks"):
        for file in (ROOT / room).rglob("*.py"):
            yield from called(file)


def test_everything_that_traces_a_picture_is_measured() -> None:
    """A call that is added to the service has to be added to the measurement."""
    measured = called(Path(trace_costs.__file__))

    assert set(everywhere()) - FOR_NO_NEW_PICTURE == measured


@pytest.mark.parametrize(("trace", "n"), [(trace_costs.SAMPLED, 9), (trace_costs.SILENT, 0)])
def test_a_measured_picture_is_a_trace(trace: str, n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With every span of a real one, below its client's; none where that does not sample."""
    with receiving() as receiver:
        monkeypatch.setenv(trace_costs.ENDPOINT, receiver.endpoint)
        recording.begin("benchmark")
        trace_costs.picture(trace)
        recording.end()
    names = {span.span_id: span.name for span in receiver.spans}

    assert len(names) == n
    assert {names.get(span.parent_id, "client") for span in receiver.spans} <= {
        *("client", "POST /classify", "accept", "classify")
    }


def test_a_span_of_a_silent_trace_is_not_even_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK would drop it, after all the work for it."""
    made = []

    def make() -> recording.Span:
        made.append("span")
        return recording.Span("a", trace_costs.SAMPLED, 1.0, 2.0)

    monkeypatch.setenv(trace_costs.ENDPOINT, "http://127.0.0.1:9")
    recording.begin("benchmark")
    recording.record(trace_costs.SILENT, make)
    silent = [*made]
    recording.record(trace_costs.SAMPLED, make)
    recording.end()

    assert (silent, made) == ([], ["span"])


def test_costs_are_a_share_of_what_a_picture_costs() -> None:
    """Which is read from the table of the service."""
    picture_ms = trace_costs.documented_ms("| **service, sum** | **10.00** |\n")
    text = trace_costs.markdown({"off": [4.0, 5.0, 7.0], "on": [500.0] * 3}, picture_ms, "rounds")

    assert "| off | 0 | 5.0 | 4.0 to 7.0 | 0.05 % |" in text
    assert "| on | 9 | 500.0 | 500.0 to 500.0 | 5.00 % |" in text
