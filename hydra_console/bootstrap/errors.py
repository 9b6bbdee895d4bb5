"""The bootstrap's one error."""


class BootstrapError(Exception):
    """Something that every command needs cannot be had; the message says what and what to do."""
