"""Every error that training raises on purpose; each message says what to do.

All of them are one level under the root; `command` turns them into one line and an exit code.

    TrainingError
    ├── SettingsError            a flag or a field of the configuration file is wrong
    ├── DataError                the pictures cannot be trained on; the message lists every reason
    ├── BackboneUnavailableError a backbone, or its weights, cannot be had on this machine
    └── GateError                the model is not good enough to be published
"""


class TrainingError(Exception):
    """Anything that training refuses."""


class SettingsError(TrainingError):
    """A flag or a field of the configuration file is wrong."""


class DataError(TrainingError):
    """The pictures cannot be trained on."""


class BackboneUnavailableError(TrainingError):
    """A backbone, or its weights, cannot be had on this machine."""


class GateError(TrainingError):
    """The model is not good enough to be published; there is a report."""
