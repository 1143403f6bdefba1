"""Whether a process records traces, and which, as `OTEL_*` in its environment says."""

import json
import subprocess
import sys

import pytest

from benchmarks.otlp import Received, receiving
from tests.conftest import ROOT, free_port
from tests.test_workers.conftest import HTTP_SECONDS

pytestmark = pytest.mark.end_to_end


OFF = """
import json, sys
from tasks.tracing import recording
recording.begin("api")
{more}
ours = ("opentelemetry.exporter", "opentelemetry.sdk.trace", "tasks.tracing.recorder")
print(json.dumps([name for name in sys.modules if name.startswith(ours)]))
"""
API = "from api import create_app; create_app().test_client().get('/livez')"
WORKER = "from tasks import app; app.loader.import_default_modules()"


@pytest.mark.parametrize("more", [API, WORKER], ids=["api", "worker"])
def test_nothing_that_traces_is_loaded_while_it_is_off(
    original_environment: dict[str, str], more: str
) -> None:
    """Neither by the API nor by a worker; redis-py loads the SDK's metrics where that is there."""
    asked = subprocess.run(
        [sys.executable, "-c", OFF.format(more=more)],
        cwd=ROOT,
        env=original_environment,
        capture_output=True,
        check=True,
        timeout=HTTP_SECONDS,
    )

    assert json.loads(asked.stdout.splitlines()[-1]) == []


MISSING = """
import sys
from tasks import log_format
log_format.configure()
sys.modules["opentelemetry.sdk"] = None
from tasks.tracing import recording
recording.begin("api")
print(recording.is_recorded("00-" + "1" * 32 + "-" + "1" * 16 + "-01"))
"""


def test_without_the_extra_one_line_says_so(original_environment: dict[str, str]) -> None:
    """The service starts, and records nothing."""
    asked = subprocess.run(
        [sys.executable, "-c", MISSING],
        cwd=ROOT,
        env=original_environment | {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"},
        capture_output=True,
        check=True,
        timeout=HTTP_SECONDS,
        text=True,
    )
    (line,) = asked.stderr.splitlines()

    assert asked.stdout == "False\n"
    assert "traces not recorded" in line
    assert "petiole[traces]" in line


UNREACHABLE = """
import time
from tasks import log_format
log_format.configure()
from tasks.tracing import recording
from tasks.tracing.recording import Span
recording.begin("api")
trace = "00-" + "1" * 32 + "-" + "1" * 16 + "-01"
for n in range(5000):
    recording.record(trace, lambda: Span("a", trace, 1.0, 2.0))
time.sleep(1.5)
recording.end()
"""


def test_an_unreachable_collector_is_one_line_a_minute(
    original_environment: dict[str, str],
) -> None:
    """Its retries, and spans that are dropped for want of room, say nothing more."""
    settings = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}",
        "OTEL_BSP_SCHEDULE_DELAY": "50",
    }
    asked = subprocess.run(
        [sys.executable, "-c", UNREACHABLE],
        cwd=ROOT,
        env=original_environment | settings,
        capture_output=True,
        check=True,
        timeout=HTTP_SECONDS,
        text=True,
    )
    (line,) = asked.stderr.splitlines()

    assert "traces not sent" in line


REQUEST = """
from api import create_app
from tasks.tracing import recording
recording.begin("api")
create_app().test_client().get("/models", headers={headers!r})
recording.end()
"""
CLIENT = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}


def recorded(
    original_environment: dict[str, str], headers: dict[str, str], **settings: str
) -> list[Received]:
    """Return the spans of one request to an API that is told where to send them."""
    with receiving() as receiver:
        told = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint, **settings}
        subprocess.run(
            [sys.executable, "-c", REQUEST.format(headers=headers)],
            cwd=ROOT,
            env=original_environment | told,
            capture_output=True,
            check=True,
            timeout=HTTP_SECONDS,
        )
    return receiver.spans


NONE = {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0"}
SAID = {
    "a client's trace": (CLIENT, {}, 1),
    "no trace": ({}, {}, 1),
    "no trace, of which none is sampled": ({}, NONE, 0),
    "a client's trace, where no other is sampled": (CLIENT, NONE, 1),
    "switched off": (CLIENT, {"OTEL_SDK_DISABLED": "true"}, 0),
}


@pytest.mark.parametrize("case", SAID)
def test_a_client_decides_and_else_the_sampler(
    original_environment: dict[str, str], case: str
) -> None:
    """As the SDK's documents say of its variables."""
    headers, settings, n = SAID[case]

    assert len(recorded(original_environment, headers, **settings)) == n


@pytest.mark.parametrize(
    ("settings", "service"),
    [
        ({}, "petiole-api"),
        ({"OTEL_SERVICE_NAME": "shop"}, "shop"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "service.name=shop"}, "shop"),
    ],
)
def test_an_operator_may_name_the_service(
    original_environment: dict[str, str], settings: dict[str, str], service: str
) -> None:
    """Else each part has a name of its own."""
    (span,) = recorded(original_environment, CLIENT, **settings)

    assert span.service == service
