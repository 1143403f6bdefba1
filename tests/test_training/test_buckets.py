"""Pictures in a bucket, over the real protocol."""

import os
from collections.abc import Callable
from pathlib import Path

import boto3
import pytest

from model_store.errors import StoreUnavailableError
from model_store.objects import Objects
from tests.test_training.conftest import check, fill
from training.errors import SettingsError
from training.pictures import data, inspection, sources
from training.pictures.data import DataSet
from training.settings import TrainingSettings, name_of


def _uploaded(folder: Path, url: str) -> Objects:
    objects = Objects.open(url, called="the test's bucket")
    for path in folder.rglob("*.png"):
        objects.write(path.relative_to(folder).as_posix(), path.read_bytes())
    return objects


def _checked(url: str, tmp_path: Path) -> DataSet:
    cache = inspection.findings_cache(tmp_path / "findings")
    return data.check(sources.open_source(url), cache, advance=lambda done, total: None)


def test_a_prefix_of_a_bucket_is_a_folder(folder: Path, tmp_path: Path, bucket_url: str) -> None:
    """Contents, labels and split groups are equal; a console's objects for folders are none."""
    objects = _uploaded(folder, bucket_url)
    objects.write("玫瑰", b"")
    objects.write("玫瑰/.DS_Store", b"x")
    found = _checked(bucket_url, tmp_path)

    assert found.pictures == check(folder).pictures
    assert found.labels == check(folder).labels
    assert not found.set_aside
    assert "Left out, as systems put them there: .DS_Store (1)" in found.warnings


def test_a_picture_that_is_gone_is_set_aside(folder: Path, bucket_url: str, tmp_path: Path) -> None:
    """As one of a folder is."""
    objects = _uploaded(folder, bucket_url)
    source = sources.open_source(bucket_url)
    objects.delete("玫瑰/000.png")
    cache = inspection.findings_cache(tmp_path / "findings")

    found = data.check(source, cache, advance=lambda done, total: None)
    assert [one.path for one in found.set_aside] == ["玫瑰/000.png"]


@pytest.fixture
def put(bucket_url: str) -> Callable[[str], object]:
    """Write an object under any key below the place, which obstore would not."""
    client = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
    place = bucket_url.removeprefix("s3://bucket/")
    return lambda key: client.put_object(Bucket="bucket", Key=f"{place}/{key}", Body=b"x")


ODD = ("blue sky//copy.png", "./a.png", "玫瑰/../b.png", "красный/a\tb.png")


def test_keys_that_are_no_paths_are_left_out_and_named(
    folder: Path, tmp_path: Path, bucket_url: str, put: Callable[[str], object]
) -> None:
    """One refused the whole prefix; the pictures beside it are those of the folder."""
    _uploaded(folder, bucket_url)
    for key in ODD:
        put(key)
    found = _checked(bucket_url, tmp_path)

    assert found.pictures == check(folder).pictures
    (told,) = [each for each in found.warnings if "it is no path" in each]
    assert all(key.replace("\t", "\\t") in told for key in ODD)


def test_a_prefix_with_odd_keys_alone_has_no_labels(
    bucket_url: str, put: Callable[[str], object]
) -> None:
    """It is not empty, and says what is there."""
    put("a//b.png")
    source = sources.open_source(bucket_url)

    assert (source.labels(), source.entries()) == ((), ())
    assert "a//b.png" in source.notes()[0]


def test_a_bucket_is_listed_once(
    folder: Path, tmp_path: Path, bucket_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Who reads it again, as fine-tuning does in each of its processes, asks for pictures alone."""
    _uploaded(folder, f"{bucket_url}/set")
    with caplog.at_level("INFO", logger="werkzeug"):
        source = sources.open_source(bucket_url)
        path = source.entries()[0].path
        reader = sources.open_to_read(source.place)

        assert reader.read(path) == (folder / path).read_bytes()
    asked = [each.getMessage() for each in caplog.records]
    assert sum("list-type=2" in each for each in asked) == 1
    assert source.place == f"{bucket_url}/set"


def test_what_is_on_this_machine_is_opened_again(folder: Path) -> None:
    """By the place of its source as well."""
    source = sources.open_source(folder)
    path = source.entries()[0].path

    assert sources.open_to_read(source.place).read(path) == source.read(path)


def test_an_empty_prefix_is_refused(bucket_url: str) -> None:
    """A mistyped one is no set without pictures."""
    with pytest.raises(SettingsError, match="below which there is nothing"):
        sources.open_source(bucket_url)


def test_a_bucket_that_is_away_ends_the_run(
    tmp_path: Path, bucket_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its pictures are not set aside one by one, which would train on what is left."""
    fill(tmp_path / "p", "rose", 1)
    _uploaded(tmp_path / "p", bucket_url)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")

    with pytest.raises(StoreUnavailableError, match="the bucket of image_dir"):
        sources.open_source(bucket_url)


@pytest.mark.parametrize("url", ["s3://photos/2024/Flowers", "s3://photos/2024/Flowers/"])
def test_the_model_is_named_after_the_prefix(url: str) -> None:
    """As it is after a folder."""
    settings = TrainingSettings(image_dir=url)

    assert name_of(settings) == "flowers"
    assert settings.image_dir == "s3://photos/2024/Flowers"
