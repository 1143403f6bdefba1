"""What lies below a prefix of a bucket, as in `s3://bucket/flowers`."""

from model_store.objects import Objects
from training.errors import SettingsError
from training.pictures.listing import MOST_FILE_BYTES, LeftOut, Listing, bounded, small_enough

NO_PATH = "it is no path: it has an empty part, a dot for one, or control characters"


class BucketFiles:
    """Objects by path. Each is fetched whenever it is needed, and none is kept."""

    def __init__(self, url: str) -> None:
        """Read below `url`; nobody is asked yet."""
        self._url = url
        self._objects = Objects.open(url, called="the bucket of image_dir")

    def listing(self) -> Listing:
        """Return every object.

        Raises:
            SettingsError: there is none.
            StoreUnavailableError: the bucket cannot be asked.
        """
        left_out = LeftOut()
        listed, odd = self._objects.tree_and_odd_keys()
        paths = set(bounded(listed, self._url))
        for key in odd:
            left_out.add(_printable(key), NO_PATH)
        if not (paths or odd):
            raise SettingsError(f"image_dir is {self._url}, below which there is nothing")
        # Consoles make an empty object for each folder.
        folders = {path[:at] for path in paths for at in _slashes(path)}
        found = left_out.without_litter(sorted(paths - folders))
        return Listing(tuple(found), left_out.notes)

    def read(self, path: str) -> bytes:
        """Return the bytes of an object.

        Raises:
            OSError: there is none any more, or it is too large.
            StoreUnavailableError: the bucket cannot be asked.
        """
        return small_enough(self._objects.read_up_to(path, MOST_FILE_BYTES + 1))


def _printable(key: str) -> str:
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in key)


def _slashes(path: str) -> list[int]:
    return [i for i, letter in enumerate(path) if letter == "/"]
