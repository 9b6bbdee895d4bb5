"""Encoders, one function per message; each is checked against the decoder of ``ib_async`` by a test."""
