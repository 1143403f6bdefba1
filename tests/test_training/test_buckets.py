"""Pictures in a bucket, over the real protocol."""

from pathlib import Path

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
