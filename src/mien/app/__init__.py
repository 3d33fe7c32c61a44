"""The recogniser as a page to try it on and as a service to call: ``mien app``; needs ``mien[app]`` and no torch."""
