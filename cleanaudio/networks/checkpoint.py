"""Checkpoints: safetensors with a few facts in their metadata, replaced as a whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cleanaudio.audio.temporary import replacing, temporaries
from cleanaudio.errors import ModelError, OutputError, RecipeError
from cleanaudio.networks import registry
from cleanaudio.networks.interface import Network

LAST, BEST = "last.safetensors", "best.safetensors"


def save(path: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Write a checkpoint beside its final name, then move it in place.

    Raises
    ------
    OutputError
        It cannot be written; an older one under this name is intact.
    """
    from safetensors.torch import save as serialised

    held = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    try:
        for left in temporaries(path.parent)(path.name):  # by a run that was killed while it saved
            left.unlink()
        with replacing(path) as unfinished:
            unfinished.write_bytes(serialised(held, {"cleanaudio": json.dumps(facts)}))
    except OSError as error:
        raise OutputError(f"the checkpoint cannot be written ({error})", path=path, remedy="free some space") from error


def load(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read a checkpoint to the CPU: tensors and facts.

    Raises
    ------
    ModelError
        Missing, truncated, or not one of ours.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            facts = json.loads((file.metadata() or {})["cleanaudio"])
            return {name: file.get_tensor(name) for name in file.keys()}, facts  # noqa: SIM118 - not a mapping
    except FileNotFoundError:
        raise ModelError("there is no checkpoint", path=path) from None
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise ModelError(f"not a whole checkpoint ({error})", path=path) from error


def load_network(
    run_dir: Path,
    which: str | None = None,
    device: str = "cpu",
    averaged: bool = True,
    options: Mapping[str, Any] | None = None,
) -> tuple[Network, dict[str, Any]]:
    """Return the trained network of a run folder, ready to run, and the facts of its checkpoint.

    Parameters
    ----------
    run_dir : Path
    which : str, optional
        Name of the checkpoint; default: the best, or the last where none was judged yet.
    device : str
    averaged : bool
        The running mean of the weights, or the last ones, which only the last checkpoint holds.
    options : mapping, optional
        Fields of the network's config in the place of those that it was trained with.

    Raises
    ------
    ModelError
        No checkpoint, a broken one, or one that is not a network of ours.
    RecipeError
        Options that it does not have.
    """
    path = run_dir / (which or (BEST if (run_dir / BEST).exists() else LAST))
    tensors, facts = load(path)
    try:
        network = registry.build(facts["network"], facts["options"])
    except (KeyError, TypeError, RecipeError) as error:
        raise ModelError(f"the checkpoint does not say of which network it is ({error})", path=path) from error
    if options:
        network = registry.build(facts["network"], {**facts["options"], **options})
    fill(network, part(tensors, "mean." if averaged else "network."), path)
    return network.to(device).eval(), facts


def part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors under a prefix, without it."""
    return {name[len(prefix) :]: tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def fill(network: nn.Module, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Load a network's weights.

    Raises
    ------
    ModelError
        They belong to another network.
    """
    try:
        network.load_state_dict(dict(tensors))
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()[:120]
        raise ModelError(f"the checkpoint is of another network or size ({reason})", path=path) from None


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return the state of an optimizer as named tensors."""
    state = optimizer.state_dict()["state"]
    return {f"{index}.{key}": torch.as_tensor(value) for index, held in state.items() for key, value in held.items()}


def fill_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Load what :func:`optimizer_tensors` gave; the groups' settings stay as they are."""
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        index, key = name.split(".", 1)
        state.setdefault(int(index), {})[key] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
