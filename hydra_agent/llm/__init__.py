"""Language models as advisers: three questions they may be asked, and what of a reply is believed.

A model proposes and deterministic code disposes. No text becomes code, a path, a query or an order; every reply is
refused or reduced to codes and bounded numbers that the caller offered. All of it may be absent.
"""
