"""What was asked: frozen dataclasses, each at once a group of options, a table of a TOML file and its documentation.

Every option is one field of one group, so its name means the same in every command and file. What the command line
asks for is composed in ``StudySettings``, ``CompareSettings`` and their like; ``TrainSettings`` and ``HeadSettings``
are what a recipe makes of it for one run.
"""
