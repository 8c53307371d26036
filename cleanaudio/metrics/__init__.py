"""Measures of quality, one a file, behind one interface."""
