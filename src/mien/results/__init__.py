"""What was found: typed, plain data, and the one owner of ``results.json``.

A new finding is a type here, described once; producers return it, ``document.py`` writes and checks it, ``reading.py``
reads it back, and ``reference.py`` prints its documentation and schema.
"""
