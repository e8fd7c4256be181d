"""The one complaint about input."""


class DataError(ValueError):
    """Input that cannot be used. The text, always one line, names the file, the place in it and the remedy."""

    def __init__(self, text: str) -> None:
        super().__init__(" ".join(text.split()))  # names out of a damaged file may hold anything
