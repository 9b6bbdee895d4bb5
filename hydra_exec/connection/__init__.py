"""Keeping a connection: when to connect, when to wait, when to worry, and when trading may go on."""
