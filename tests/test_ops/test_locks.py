"""`requirements/*.lock`: what each holds, and that they agree."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PEERS = sorted(ROOT.glob("*/peers/*/requirements.in"))
LOCKS = [
    *("dev", "api", "worker", "traces", "bootstrap"),
    *(f"../{peer.relative_to(ROOT).with_suffix('')}" for peer in PEERS),
]
NOT_FOR_THE_API = {"tensorflow", "numpy", "openvino", "ai-edge-litert", "keras", "nncf"}


def pins(root: Path, lock: str) -> set[tuple[str, str]]:
    """Return the `(package, version)` pairs of a lock."""
    text = (root / "requirements" / f"{lock}.lock").read_text()
    return set(re.findall(r"^([\w.-]+)==([^\s;\\]+)", text, re.MULTILINE))


@pytest.mark.parametrize("lock", ["api", "worker", "traces"])
def test_the_images_hold_the_versions_that_were_tested(root: Path, lock: str) -> None:
    """Every version is the one of `dev.lock`, which the tests run with."""
    assert set() == pins(root, lock) - pins(root, "dev")


def test_what_bootstraps_is_the_installer_and_tested_versions(root: Path) -> None:
    """Only uv itself is not among the packages of `dev.lock`."""
    assert {"uv"} == {name for name, _ in pins(root, "bootstrap") - pins(root, "dev")}


def test_the_api_needs_neither_tensorflow_nor_numpy(root: Path) -> None:
    """The API's image stays small and starts fast."""
    assert set() == {name for name, _ in pins(root, "api")} & NOT_FOR_THE_API


@pytest.mark.parametrize("lock", ["dev", "api", "worker"])
def test_no_lock_brings_what_every_process_would_read_a_grammar_for(root: Path, lock: str) -> None:
    """Jsonschema imports it wherever it is, and that takes a second of each process that starts."""
    assert "rfc3987-syntax" not in {name for name, _ in pins(root, lock)}


@pytest.mark.parametrize("lock", ["dev", "api", "worker"])
def test_no_lock_brings_what_a_gpu_needs(root: Path, lock: str) -> None:
    """So TensorFlow, whose package is built for either, serves on CPUs; no GPU is to be watched."""
    of_gpus = re.compile(r"nvidia|cuda|cudnn|cupy|-gpu\b|\btriton\b|rocm")

    assert [name for name, _ in pins(root, lock) if of_gpus.search(name)] == []


@pytest.mark.parametrize("image", ["api", "worker"])
def test_traces_come_on_top_of_either_image(root: Path, image: str) -> None:
    """They bring OpenTelemetry and what its messages are made of, and change nothing else."""
    brought = {name for name, _ in pins(root, "traces") - pins(root, image)}
    of_messages = {"protobuf", "googleapis-common-protos"}

    assert {name for name in brought if not name.startswith("opentelemetry")} <= of_messages
    assert {"opentelemetry-sdk", "opentelemetry-exporter-otlp-proto-http"} <= brought


@pytest.mark.parametrize("lock", LOCKS)
def test_no_lock_names_an_address(root: Path, lock: str) -> None:
    """Any mirror of the package index can serve a lock."""
    assert "://" not in (root / "requirements" / f"{lock}.lock").read_text()


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_has_a_hash(root: Path, lock: str) -> None:
    """Each pin continues with at least one hash."""
    text = (root / "requirements" / f"{lock}.lock").read_text()
    entries = re.findall(r"^\S+==.*\n(.*)", text, re.MULTILINE)

    assert all("--hash=sha256:" in line for line in entries)
    assert len(entries) >= len(pins(root, lock))


def test_there_is_no_lock_with_addresses(root: Path) -> None:
    """`uv.lock` records the address of the index it was made with, so it is not kept."""
    assert not (root / "uv.lock").exists()
