"""Every error that the model store raises on purpose.

All of them are built from one message string, so that a Celery result can carry the class name and
the message as JSON and the other side can build the same error again.

    ModelStoreError
    ├── BadModelReferenceError      the text is not `name`, `name@version` or `name@alias`
    ├── UnknownModelError           no model of that name; the message lists the known ones
    ├── UnknownVersionError         the model has no such version or alias
    ├── UnknownLabelError           the version has no such label
    ├── VersionInUseError           an alias points to the version that should be removed
    ├── UnknownInstallerError       `install` does not know what was asked for
    ├── ImportOptionError           what should be imported needs another option, or one less
    ├── WeightsUnavailableError     weights or a module cannot be fetched from here
    ├── StoreUnavailableError       the directory or bucket cannot be reached
    ├── CorruptVersionError         a file of a version is missing or its SHA-256 is wrong
    ├── ModelFormatError            weights, card or graph are not what the store expects
    ├── RuntimeUnavailableError     a runtime is not installed, or no variant exists for it
    ├── GoldenMismatchError         the golden pictures got other answers than when published
    ├── CalibrationError            no usable picture where int8 should be calibrated
    └── ImageError                  the upload cannot be classified, now or ever
        ├── NotAnImageError             not a picture in an accepted format
        ├── TooManyPixelsError          the header announces more pixels than the limit
        ├── TruncatedImageError         the pixels cannot be decoded to the end
        └── UnsupportedImageFormatError the pixels are of a kind that has no fixed 8-bit meaning
"""


class ModelStoreError(Exception):
    """Anything that the model store refuses."""


class BadModelReferenceError(ModelStoreError):
    """The text is not `name`, `name@version` or `name@alias`."""


class UnknownModelError(ModelStoreError):
    """The store has no model of that name."""


class UnknownVersionError(ModelStoreError):
    """The model has no such version or alias."""


class UnknownLabelError(ModelStoreError):
    """The version has no such label."""


class VersionInUseError(ModelStoreError):
    """An alias points to the version, so it cannot be removed."""


class UnknownInstallerError(ModelStoreError):
    """Nothing of that name can be installed."""


class ImportOptionError(ModelStoreError):
    """What should be imported needs an option that is missing, or got one that does not fit."""


class WeightsUnavailableError(ModelStoreError):
    """Weights or a module cannot be fetched from here."""


class StoreUnavailableError(ModelStoreError):
    """The directory or bucket that holds the models cannot be reached."""


class CorruptVersionError(ModelStoreError):
    """A file of a published version is missing or has other bytes than were published."""


class ModelFormatError(ModelStoreError):
    """Weights, card or graph are not what the store expects."""


class RuntimeUnavailableError(ModelStoreError):
    """A runtime is not installed here, or the version has no variant for it."""


class GoldenMismatchError(ModelStoreError):
    """Preprocessing and runtime answer the golden pictures differently than when published."""


class CalibrationError(ModelStoreError):
    """The directory that was given for calibration has no usable picture."""


class ImageError(ModelStoreError):
    """The upload cannot be classified, however often it is tried."""


class NotAnImageError(ImageError):
    """The upload is not a picture in an accepted format."""


class TooManyPixelsError(ImageError):
    """The header announces more pixels than the limit."""


class TruncatedImageError(ImageError):
    """The header is fine, but the pixels cannot be decoded to the end."""


class UnsupportedImageFormatError(ImageError):
    """The pixels are of a kind that has no fixed 8-bit meaning."""
