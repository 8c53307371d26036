"""Where installed packages keep the models that metrics run, without importing the packages."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path


def package_folder(name: str) -> Path:
    """Return the folder of an installed package.

    Raises
    ------
    ModuleNotFoundError
        It is not installed.
    """
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"No module named {name!r}")
    return Path(spec.submodule_search_locations[0])
