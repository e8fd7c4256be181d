"""The one complaint about input."""


class DataError(ValueError):
    """Input that cannot be used. The text names the file, the place in it and the remedy."""
