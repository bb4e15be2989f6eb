"""What torch's functions do to expressions: one rule for each kind of function.

Functions that move elements are applied to the labels; sums, differences, products with constants
and batch norms in evaluation are done on the terms; linear layers and poolings become calls of
layers (:mod:`~eventsim.load.modules.layers`). What has no rule gives
:class:`~eventsim.load.modules.expressions.Unknown`, which is refused only where neurons read it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from eventsim.load.modules.expressions import (
    Expression,
    added,
    moved,
    scaled,
    summed,
)

__all__ = ["IN_PLACE", "JOINING", "SHAPE_ONLY", "apply", "function_name", "plain_name", "tensors"]

#: The first argument is what moves.
MOVING = frozenset(
    "view reshape view_as reshape_as flatten ravel unflatten squeeze unsqueeze permute transpose t "
    "T mT movedim moveaxis swapaxes swapdims expand expand_as broadcast_to repeat tile "
    "repeat_interleave select narrow __getitem__ index_select take_along_dim gather chunk split "
    "split_with_sizes tensor_split unbind flip fliplr flipud roll unfold diagonal pixel_shuffle "
    "pixel_unshuffle atleast_1d atleast_2d atleast_3d pad".split()
)
#: All tensors among the arguments are put together.
JOINING = frozenset(
    "stack cat concat concatenate hstack vstack dstack column_stack row_stack".split()
)
#: The values stay as they are.
SAME = frozenset(
    "clone contiguous detach to float double type type_as cpu cuda data requires_grad_ identity "
    "alias positive".split()
)
_DROPOUT = frozenset(
    "dropout dropout1d dropout2d dropout3d alpha_dropout feature_alpha_dropout".split()
)
#: Only the shape of the argument matters, so the result is a constant.
SHAPE_ONLY = frozenset(
    "zeros_like ones_like empty_like full_like rand_like randn_like new_zeros new_ones new_empty "
    "new_full new_tensor zero_ fill_".split()
)
#: Functions that write into their first argument, besides those whose name ends in one "_".
IN_PLACE = frozenset("__setitem__ __iadd__ __isub__ __imul__ __itruediv__ __idiv__".split())

_PLAIN = {
    "__iadd__": "add", "__add__": "add", "__radd__": "add", "__isub__": "sub", "__sub__": "sub",
    "__rsub__": "rsub", "subtract": "sub", "__imul__": "mul", "__mul__": "mul", "__rmul__": "mul",
    "multiply": "mul", "__itruediv__": "div", "__idiv__": "div", "__truediv__": "div",
    "__div__": "div", "true_divide": "div", "divide": "div", "__neg__": "neg", "negative": "neg",
    "__matmul__": "matmul",
}  # fmt: skip


def function_name(func: Any) -> str:
    """The full name of a function of torch, as people write it."""
    from torch.overrides import resolve_name

    name = resolve_name(func) or getattr(func, "__qualname__", repr(func))
    return name.removesuffix(".__get__")


def plain_name(full: str) -> str:
    """The last part of the name, one name for the spellings of one function."""
    name = full.rpartition(".")[2]
    if name.endswith("_") and not name.endswith("__"):
        name = name[:-1]
    return _PLAIN.get(name, name)


def apply(
    full: str,
    func: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    known: Callable[[Any], Any],
    shape: Any,
) -> list[Expression] | None:
    """What the tensors that a function gives are made of.

    Parameters
    ----------
    full : str
        The function's name.
    func, args, kwargs
        The call; in a function that writes into its first argument this is the argument as it
        was before.
    known : callable
        What is known of a tensor; None of a constant.
    shape : torch.Size or None
        Shape of the first result.

    Returns
    -------
    list of Expression or None
        None: there is no rule for this call.
    """
    name = plain_name(full)
    try:
        if name in JOINING or name == "__setitem__":
            return _moved(func, args, kwargs, known, every=True)
        if name in MOVING:
            return _moved(func, args, kwargs, known, every=False)
        if name in SAME:
            return _same(args, known)
        if name in _DROPOUT:
            training = kwargs.get("training", kwargs.get("train", args[2] if args[2:] else True))
            return None if training else _same(args, known)
        if name in ("sum", "mean"):
            return _summed(name, args, kwargs, known)
        rule = _RULES.get(name)
        if rule is not None and (full != "torch.batch_norm"):
            found = rule(args, kwargs, known, shape)
            return None if found is None else [found]
    except (RuntimeError, TypeError, ValueError, IndexError, NotImplementedError):
        # A call in a form that the rule does not know; the caller says which function it was.
        return None
    return None


def _same(args: tuple[Any, ...], known: Callable[[Any], Any]) -> list[Expression] | None:
    found = known(args[0])
    return [found] if isinstance(found, Expression) else None


def _moved(
    func: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    known: Callable[[Any], Any],
    every: bool,
) -> list[Expression] | None:
    import torch

    writes = len(args) == 3 and getattr(func, "__name__", "") == "__setitem__"
    if writes:
        target, key, value = args
        if not isinstance(value, torch.Tensor):
            value = torch.full((), float(value), dtype=torch.float64, device=target.device)
        places: list[Any] = [target, value]
    elif every:
        places = [t for t in tensors(args[0])]
    else:
        places = [args[0] if args else kwargs["input"]]
    data = []
    for place in places:
        found = known(place)
        if found is not None and not isinstance(found, Expression):
            return None
        data.append((place, found))
    others = [*args[1:], *kwargs.values()] if not writes else [key]
    if getattr(func, "__name__", "") not in ("view_as", "reshape_as", "expand_as"):
        indices = [t for t in tensors(others) if all(t is not place for place in places)]
        if any(known(t) is not None for t in indices):
            return None
    if getattr(func, "__name__", "") == "pad" and (
        (args[2] if args[2:] else kwargs.get("mode", "constant")) != "constant"
        or (args[3] if args[3:] else kwargs.get("value", 0))
    ):
        return None

    def move(tensors: list[Any]) -> Any:
        if writes:
            written = tensors[0].clone()
            written[key] = tensors[1].to(written.dtype)
            return written
        if every:
            return func(type(args[0])(tensors), *args[1:], **kwargs)
        if args:
            return func(tensors[0].clone(), *args[1:], **kwargs)
        return func(**{**kwargs, "input": tensors[0].clone()})

    return moved(data, move)


def _summed(
    name: str, args: tuple[Any, ...], kwargs: dict[str, Any], known: Callable[[Any], Any]
) -> list[Expression] | None:
    found = known(args[0])
    axes = args[1] if args[1:] else kwargs.get("dim", kwargs.get("axis"))
    keep = args[2] if args[2:] else kwargs.get("keepdim", False)
    if not isinstance(found, Expression) or not isinstance(keep, bool):
        return None
    listed = [] if axes is None else [axes] if isinstance(axes, int) else list(axes)
    done = summed(found, listed, keep, name == "mean")
    return None if done is None else [done]


def _operand(value: Any, known: Callable[[Any], Any]) -> Any:
    """An expression, a constant tensor, or None where neither is known."""
    import torch

    if isinstance(value, torch.Tensor):
        found = known(value)
        if found is None:
            return value
        return found if isinstance(found, Expression) else None
    return torch.tensor(float(value), dtype=torch.float64)


def _add(args: Any, kwargs: Any, known: Any, shape: Any, sign: float = 1.0) -> Any:
    first, second = _operand(args[0], known), _operand(args[1], known)
    if first is None or second is None:
        return None
    alpha = float(kwargs.get("alpha", 1.0))
    return added([(first, 1.0), (second, sign * alpha)], shape)


def _sub(args: Any, kwargs: Any, known: Any, shape: Any) -> Any:
    return _add(args, kwargs, known, shape, -1.0)


def _rsub(args: Any, kwargs: Any, known: Any, shape: Any) -> Any:
    return _sub((args[1], args[0]), kwargs, known, shape)


def _mul(args: Any, kwargs: Any, known: Any, shape: Any) -> Any:
    first, second = _operand(args[0], known), _operand(args[1], known)
    if isinstance(second, Expression):
        first, second = second, first
    if not isinstance(first, Expression) or second is None or isinstance(second, Expression):
        return None
    return scaled(first, second, shape)


def _div(args: Any, kwargs: Any, known: Any, shape: Any) -> Any:
    first, second = _operand(args[0], known), _operand(args[1], known)
    rounded = kwargs.get("rounding_mode") is not None
    if not isinstance(first, Expression) or second is None or rounded:
        return None
    return None if isinstance(second, Expression) else scaled(first, 1.0 / second.double(), shape)


def _neg(args: Any, kwargs: Any, known: Any, shape: Any) -> Any:
    first = known(args[0])
    return scaled(first, -1.0, shape) if isinstance(first, Expression) else None


def _copy(args: Any, kwargs: Any, known: Any, shape: Any) -> Any:
    source = _operand(args[1], known)
    return None if source is None else added([(source, 1.0)], shape)


def _batch_norm(args: Any, kwargs: Any, known: Any, shape: Any) -> Any:
    import torch

    names = (
        "input",
        "running_mean",
        "running_var",
        "weight",
        "bias",
        "training",
        "momentum",
        "eps",
    )
    given = {**dict(zip(names, args, strict=False)), **kwargs}
    entering, mean, variance = (given[name] for name in names[:3])
    found = known(entering)
    if not isinstance(found, Expression) or given.get("training") or mean is None:
        return None
    factor = 1.0 / torch.sqrt(variance.double() + given.get("eps", 1e-5))
    if given.get("weight") is not None:
        factor = factor * given["weight"].double()
    shift = -mean.double() * factor
    if given.get("bias") is not None:
        shift = shift + given["bias"].double()
    along = [1, -1, *[1] * (entering.dim() - 2)]
    return added([(scaled(found, factor.view(along), shape), 1.0), (shift.view(along), 1.0)], shape)


_RULES: dict[str, Callable[..., Any]] = {
    "add": _add, "sub": _sub, "rsub": _rsub, "mul": _mul, "div": _div, "neg": _neg,
    "copy": _copy, "batch_norm": _batch_norm,
}  # fmt: skip


def tensors(value: Any) -> list[Any]:
    """All tensors in nested arguments."""
    import torch

    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, dict):
        value = value.values()
    if isinstance(value, list | tuple) or type(value).__name__ == "dict_values":
        return [tensor for item in value for tensor in tensors(item)]
    return []
