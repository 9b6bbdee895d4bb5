"""Shape of the ``hydra`` fixture: arguments to exit status, stdout and stderr."""

from collections.abc import Callable

Hydra = Callable[..., tuple[int, str, str]]
