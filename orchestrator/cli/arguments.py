"""Arguments and options that click does not bring."""

from __future__ import annotations

import os
from collections.abc import Callable

import click


class NamedOption(click.Option):
    """An option whose variable in the environment is called as the flag is, not as the function's parameter."""

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        flag = max(self.opts, key=len).lstrip("-").replace("-", "_").upper()
        return super().resolve_envvar_value(ctx) or os.environ.get(f"{ctx.auto_envvar_prefix}_{flag}") or None


class Duration(click.ParamType[float]):
    """``60s``, ``500ms``, ``1m30s``: seconds."""

    name = "duration"

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        from orchestrator.durations import parse_duration

        if isinstance(value, float):
            return value
        try:
            return parse_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Parsed(click.ParamType[float]):
    """A number with a unit, by a parser that raises ValueError with a text that can follow the name of the flag."""

    def __init__(self, name: str, parse: Callable[[str], float]) -> None:
        self.name, self._parse = name, parse

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        try:
            return self._parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


DURATION = Duration()
