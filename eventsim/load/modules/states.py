"""What modules keep between calls: found, put back, and forgotten before a run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from eventsim.errors import UnsupportedNetwork

__all__ = ["changed", "snapshot", "undisturbed"]


@contextmanager
def undisturbed(module: Any) -> Iterator[None]:
    """Evaluation mode, and afterwards every module as it was before, its state included."""
    kept = [(part, _copied(vars(part))) for _, part in module.named_modules()]
    tensors = [
        (tensor, tensor.detach().clone()) for _, values in kept for _, tensor in _tensors(values)
    ]
    try:
        _evaluating(module)
        yield
        _check_weights(module, tensors)
    finally:
        for part, values in kept:
            vars(part).clear()
            vars(part).update(values)
        for tensor, value in tensors:
            if tensor.shape == value.shape:
                tensor.data.copy_(value)


def _evaluating(module: Any) -> None:
    try:
        module.eval()
    except Exception as error:
        # A module may raise errors of any class.
        raise UnsupportedNetwork(
            f"from_torch: module: expected one with an evaluation mode, got {type(error).__name__} "
            f"of its eval(): {error}"
        ) from error


def _check_weights(module: Any, kept: list[tuple[Any, Any]]) -> None:
    """Refuse a module that changed its parameters in the run."""
    import torch

    names = {id(tensor): name for name, tensor in module.named_parameters()}
    for tensor, value in kept:
        if id(tensor) in names and not torch.equal(tensor, value):
            same = tensor.shape == value.shape and bool(
                ((tensor == value) | (tensor.isnan() & value.isnan())).all()
            )
            if not same:
                raise UnsupportedNetwork(
                    f"from_torch: module: {names[id(tensor)]}: expected a parameter that stays as "
                    "it is, got one that the module changes while it runs: the weights of a "
                    "network are constant"
                )


def _copied(values: dict[str, Any]) -> dict[str, Any]:
    """Attributes, with dicts of their own."""
    return {name: dict(v) if type(v) is dict else v for name, v in values.items()}


def _tensors(values: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Tensors among attributes, by name."""
    import torch

    for name, value in values.items():
        if type(value) is dict:
            for inner, tensor in _tensors(value):
                yield f"{name}.{inner}", tensor
        elif isinstance(value, torch.Tensor):
            yield name, value


def snapshot(module: Any) -> dict[tuple[int, str], tuple[Any, int]]:
    """The tensors that a module and its parts hold, and how often each was written to."""
    return {
        (number, name): (tensor, tensor._version)
        for number, part in enumerate(module.modules())
        for name, tensor in _tensors(vars(part))
    }


def changed(module: Any, before: dict[tuple[int, str], tuple[Any, int]]) -> list[Any]:
    """The tensors that are new or were written to since a :func:`snapshot`."""
    found = []
    for key, (tensor, version) in snapshot(module).items():
        old = before.get(key)
        if old is None or old[0] is not tensor or old[1] != version:
            found.append(tensor)
    return found
