"""CFTC commitments of traders: header dialects, parser, release calendar, source and the inverse writer."""
