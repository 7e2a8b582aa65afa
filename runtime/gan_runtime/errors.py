"""What can be wrong with input, files and devices. Every message names the thing, the reason and the way out."""


class GanEdgeError(Exception):
    """Bad input of any kind: commands print it as one line on stderr and exit with 1."""


class InputError(GanEdgeError, ValueError):
    """An argument is out of range or does not fit the model."""


class DataError(GanEdgeError):
    """A data set is missing or its files are damaged."""


class IncompleteError(DataError):
    """Some inputs of a job cannot be used; the others are done. Commands exit with 4."""


class ModelError(GanEdgeError):
    """A model file is damaged, foreign, unsafe or made for another task."""


class DeviceError(GanEdgeError):
    """The device asked for cannot run the model."""


class OutputError(GanEdgeError):
    """A file cannot be written."""
