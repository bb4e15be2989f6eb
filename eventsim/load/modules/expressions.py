"""Where the numbers in a tensor come from.

Every element of a source (the module's input, the spikes of a call of neurons, the result of a
call of a linear layer) has a number of its own, its label, from 1. While a module runs, each
tensor has beside it what it is a sum of::

    value = sum over terms of coefficient * source[label] + constant

Label 0 stands for nothing. A function that only moves elements about (``view``, ``stack``,
``permute``, an index) does to the labels what it does to the values, so that no such function
needs a rule of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Expression", "State", "Term", "Unknown", "added", "moved", "scaled", "summed"]

#: Terms of one sum; a longer one counts as not understood.
MOST_TERMS = 4096


@dataclass
class Term:
    """``coefficient * source[label]`` for each element.

    Attributes
    ----------
    labels : int64 tensor
        Of the shape of the value.
    coefficient : float or float64 tensor
        One for all, or of the shape of the value.
    """

    labels: Any
    coefficient: Any = 1.0


@dataclass
class Expression:
    """A sum of terms, and a constant (float64 tensor of the shape of the value, or None)."""

    terms: list[Term]
    constant: Any = None


@dataclass
class Unknown:
    """The result of a function that has no rule.

    Attributes
    ----------
    function : str
        Its name, as ``torch.Tensor.gt``.
    place : str
        The module in which it was called.
    sources : list
        What is known of its arguments.
    """

    function: str
    place: str
    sources: list[Any] = field(default_factory=list)

    def first(self) -> Unknown | State:
        """The first of the functions without a rule, from which the others follow."""
        for source in self.sources:
            if isinstance(source, Unknown):
                return source.first()
        for source in self.sources:
            if isinstance(source, State):
                return source
        return self


@dataclass
class State:
    """A state variable that call number ``call`` of the neurons at ``path`` returned."""

    path: str
    call: int


def added(parts: list[tuple[Any, float]], shape: Any) -> Expression:
    """The sum of factors times expressions or constant tensors, broadcast to ``shape``."""
    terms: list[Term] = []
    constant = None
    signals = [part for part, _ in parts if isinstance(part, Expression)]
    device = signals[0].terms[0].labels.device if signals else None
    for part, factor in parts:
        if isinstance(part, Expression):
            terms += [_times(_widened(term, shape), factor) for term in part.terms]
            part = part.constant
            if part is None:
                continue
        # A Python number comes as a tensor on no device in particular (None: where it is).
        wide = part.to(device).double().broadcast_to(shape) * factor
        constant = wide if constant is None else constant + wide
    return Expression(terms, constant)


def scaled(expression: Expression, factor: Any, shape: Any) -> Expression:
    """The expression times a number or a constant tensor."""
    if not isinstance(factor, float):
        factor = factor.double()
        factor = float(factor) if factor.numel() == 1 else factor.broadcast_to(shape)
    terms = [_times(_widened(term, shape), factor) for term in expression.terms]
    constant = expression.constant
    if constant is not None:
        constant = constant.broadcast_to(shape) * factor
    return Expression(terms, constant)


def _widened(term: Term, shape: Any) -> Term:
    coefficient = term.coefficient
    if not isinstance(coefficient, float):
        coefficient = coefficient.broadcast_to(shape)
    return Term(term.labels.broadcast_to(shape), coefficient)


def _times(term: Term, factor: Any) -> Term:
    return Term(term.labels, term.coefficient * factor)


def summed(expression: Expression, axes: list[int], keep: bool, mean: bool) -> Expression | None:
    """The sum over some axes; None where it has too many terms."""
    size = expression.terms[0].labels.dim()
    axes = sorted(axis % size for axis in axes) if axes else list(range(size))
    count = 1
    for axis in axes:
        count *= expression.terms[0].labels.shape[axis]
    if count * len(expression.terms) > MOST_TERMS or count == 0:
        return None
    factor = 1.0 / count if mean else 1.0

    def parts(tensor: Any) -> Iterator[Any]:
        front = tensor.movedim(axes, tuple(range(len(axes))))
        for part in front.reshape(count, *front.shape[len(axes) :]):
            for axis in axes if keep else ():
                part = part.unsqueeze(axis)
            yield part

    terms = []
    for term in expression.terms:
        single = isinstance(term.coefficient, float)
        coefficients = [term.coefficient] * count if single else parts(term.coefficient)
        terms += [
            Term(labels, c * factor)
            for labels, c in zip(parts(term.labels), coefficients, strict=True)
        ]
    constant = expression.constant
    if constant is not None:
        constant = constant.sum(axes, keepdim=keep) * factor
    return Expression(terms, constant)


def moved(data: list[Any], move: Callable[[list[Any]], Any]) -> list[Expression]:
    """What a function that moves elements makes of ``data``.

    Parameters
    ----------
    data : list of (tensor, Expression or None)
        The tensors that it reads; None for a constant.
    move : callable
        Calls the function with other tensors in the places of ``data``.

    Returns
    -------
    list of Expression
        One for each tensor that the function gives.
    """
    import torch

    known = [expression for _, expression in data if expression is not None]
    columns = []
    for k in range(max(len(expression.terms) for expression in known)):
        here = [
            None if expression is None or k >= len(expression.terms) else expression.terms[k]
            for _, expression in data
        ]
        labels = move(
            [
                torch.zeros(value.shape, dtype=torch.int64, device=value.device)
                if term is None
                else term.labels
                for (value, _), term in zip(data, here, strict=True)
            ]
        )
        factors = {
            term.coefficient for term in here if term and isinstance(term.coefficient, float)
        }
        if len(factors) == 1 and all(
            term is None or isinstance(term.coefficient, float) for term in here
        ):
            factor = factors.pop()
            columns.append([Term(label, factor) for label in _listed(labels)])
            continue
        coefficients = move(
            [_full(value, 0.0 if term is None else term.coefficient)
             for (value, _), term in zip(data, here, strict=True)]
        )  # fmt: skip
        columns.append(
            [
                Term(label, c)
                for label, c in zip(_listed(labels), _listed(coefficients), strict=True)
            ]
        )
    results = [Expression(list(terms)) for terms in zip(*columns, strict=True)]
    if any(e is None or e.constant is not None for _, e in data):
        constants = move(
            [
                value.double()
                if e is None
                else _full(value, 0.0 if e.constant is None else e.constant)
                for value, e in data
            ]
        )
        for result, constant in zip(results, _listed(constants), strict=True):
            result.constant = constant
    return results


def _full(value: Any, number: Any) -> Any:
    import torch

    if isinstance(number, float):
        return torch.full(value.shape, number, dtype=torch.float64, device=value.device)
    return number


def _listed(result: Any) -> list[Any]:
    """The tensors of a result, which is one or several."""
    return list(result) if isinstance(result, tuple | list) else [result]
