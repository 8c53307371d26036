"""Measures of quality, one a file, behind one interface.

``score`` measures one recording, ``registry`` knows the metrics by name, ``interface`` is what each of them promises.
"""
