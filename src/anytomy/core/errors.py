"""The error tree: everything a user can cause or cure derives from `AnytomyError`.

AnytomyError
├── InputError                 what the user gave cannot be used
│   ├── ImageReadError         a file is missing, truncated, unsupported, not an image
│   ├── GeometryError          shear, missing slices, mixed spacing, mismatched grids
│   ├── PromptError            outside the image, reversed, duplicate id, broken prompt file
│   │   └── UnsupportedPromptError   the model never learned this kind of prompt
│   ├── DatasetError           unknown data set, broken card, a folder nothing is recognised in
│   └── OptionError            a wrong value of an option
├── OutputError                an output cannot be written (ending, permission, full disk)
├── ModelError                 unknown model, broken card, weights that do not fit
│   └── ChecksumError          a file is not the one that its card names
├── FetchError                 an artifact cannot be had (no network, server error)
│   └── OfflineError           it is not cached and ANYTOMY_OFFLINE is set
├── MissingDependencyError     an optional package is not installed
└── StoppedError               somebody interrupted a run, and what was done is kept

A message is one line: what was expected, what came, what to do.
"""

from __future__ import annotations


class AnytomyError(Exception):
    """Base of all errors that carry a message meant for the user.

    Args:
        message: One line: what was expected and what came; names the file where there is one.
        hint: What to do about it, one line.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message}; {self.hint}"


class InputError(AnytomyError, ValueError):
    """What the user gave cannot be used."""


class ImageReadError(InputError):
    """A file is missing, truncated, unsupported or not an image."""


class GeometryError(InputError):
    """A voxel grid is sheared, irregular or does not match another one."""


class PromptError(InputError):
    """A prompt is malformed or lies outside the image."""


class UnsupportedPromptError(PromptError):
    """The model never learned this kind of prompt."""


class DatasetError(InputError):
    """A data set is unknown, its card is broken, or its files are not laid out as expected."""


class OptionError(InputError):
    """An option has a value that cannot be used."""


class OutputError(AnytomyError):
    """An output cannot be written."""


class ModelError(AnytomyError):
    """A model is unknown, its card is broken or its weights do not fit."""


class ChecksumError(ModelError):
    """A file is not the one that its card or index names."""


class FetchError(AnytomyError):
    """An artifact cannot be had from any of its sources."""


class OfflineError(FetchError):
    """An artifact is not cached and the network must not be used."""


class MissingDependencyError(AnytomyError, ImportError):
    """An optional package is not installed."""


class StoppedError(AnytomyError):
    """Somebody interrupted a run; the message says what is kept and how to go on."""


class AnytomyWarning(UserWarning):
    """Something that the user should know and that did not stop the work."""
