"""What a shell completes: the names that an option or an argument takes."""

from __future__ import annotations


def backend(incomplete: str) -> list[str]:
    """Complete the last name of a spec: ``-b 0.6*omlsa+0.4*wie`` too."""
    from cleanaudio.backends import registry

    return _completed(incomplete, ["auto", *registry.names()], between="*+,")


def mask(incomplete: str) -> list[str]:
    """Complete what tells voice from noise at an array."""
    return _completed(incomplete, ["salience", "vad"]) + backend(incomplete)


def metric(incomplete: str) -> list[str]:
    """Complete the last of names between commas."""
    from cleanaudio.metrics import registry

    return _completed(incomplete, registry.names(), between=",")


def model(incomplete: str) -> list[str]:
    """Complete the name of an installed model."""
    from cleanaudio.models import catalog

    return _completed(incomplete, [model.name for model in catalog.installed()])


def preset(incomplete: str) -> list[str]:
    """Complete the name of a preset of ours."""
    from cleanaudio.cli import config

    return _completed(incomplete, sorted(config.PRESETS))


def container(incomplete: str) -> list[str]:
    """Complete the name of a format that is written."""
    from cleanaudio.audio import formats

    return _completed(incomplete, formats.names())


def _completed(incomplete: str, names: list[str], between: str = "") -> list[str]:
    begin = 1 + max((incomplete.rfind(mark) for mark in between), default=-1)
    return [incomplete[:begin] + name for name in names if name.startswith(incomplete[begin:])]
