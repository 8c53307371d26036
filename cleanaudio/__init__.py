"""cleanaudio: a batch cleaner for recorded speech."""

__version__ = "0.1.0"
