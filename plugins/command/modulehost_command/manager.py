"""The manager: for each operation it runs the program that stands for it."""

from __future__ import annotations

import os
import signal
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from modulehost import Context, ModuleError, hookimpl
from modulehost_command import declaration
from modulehost_command.environment import standard_input, variables
from modulehost_command.exchange import Exchange
from modulehost_command.programs import REQUIRED, Program


class Commands(msgspec.Struct, rename="camel"):
    """The settings of a module without a ``module.toml``: its operations as shell commands."""

    install_command: Annotated[
        str, Meta(description="What /bin/sh runs in place of the program install")
    ] = ""
    uninstall_command: Annotated[
        str, Meta(description="What /bin/sh runs in place of the program uninstall")
    ] = ""
    sleep_command: Annotated[
        str, Meta(description="What /bin/sh runs in place of the program sleep")
    ] = ""
    resume_command: Annotated[
        str, Meta(description="What /bin/sh runs in place of the program resume")
    ] = ""
    health_command: Annotated[
        str, Meta(description="What /bin/sh runs in place of the program health")
    ] = ""

    def of(self, operation: str) -> str:
        """The command that stands for the operation; "" when there is none."""
        command: str = getattr(self, f"{operation}_command")
        return command


class Manager:
    """Runs the programs of the folder COMMAND_DIR, or the commands of the config."""

    def __init__(self) -> None:
        self.folder = os.path.abspath(os.environ.get("COMMAND_DIR") or "/module")
        self.config: type[msgspec.Struct] = Commands
        self.permissions: tuple[str, ...] = ("workspace",)
        self.deadlines: dict[str, float] = {}
        if (declared := declaration.read(self.folder)) is not None:
            self.config, self.permissions, self.deadlines = declared

    @hookimpl
    def install(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        """Run ``install``, unless a program is missing that would be needed later."""
        self._refuse_incomplete(ctx)
        self._operate(ctx, metadata)

    @hookimpl
    def uninstall(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        """Run ``uninstall``."""
        problem = self._program(ctx, "uninstall").problem()
        if problem is not None and not metadata:
            # Without this program nothing was ever installed; a failure would keep the pod.
            ctx.log.warning("nothing was installed that could be uninstalled", reason=problem)
            return
        self._operate(ctx, metadata)

    @hookimpl
    def sleep(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        """Run ``sleep``."""
        self._operate(ctx, metadata)

    @hookimpl
    def resume(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        """Run ``resume``."""
        self._operate(ctx, metadata)

    @hookimpl
    def health(self, ctx: Context[Any]) -> None:
        """Look whether all programs can be run, and run ``health`` if there is one."""
        self._refuse_incomplete(ctx)
        program = self._program(ctx, "health")
        if program.is_there:
            config = _config(ctx)
            _run(ctx, program, standard_input(ctx, config, None), variables(ctx, config, {}, {}))

    def _operate(self, ctx: Context[Any], metadata: dict[str, Any]) -> None:
        """Run the program of the operation; the metadata is what it leaves in its file.

        However it ends: after a failure its metadata tells what uninstall must look for.
        """
        program = self._program(ctx, ctx.operation)
        if (problem := program.problem()) is not None:
            raise ModuleError(problem)
        config = _config(ctx)
        with Exchange(ctx, metadata) as exchange:
            files = {
                "MODULE_METADATA_FILE": exchange.metadata_file,
                "MODULE_PROGRESS_FILE": exchange.progress_file,
                "MODULE_CHECKPOINT_FILE": exchange.checkpoint_file,
            }
            environ = variables(ctx, config, metadata, files)
            try:
                _run(ctx, program, standard_input(ctx, config, metadata), environ)
            except BaseException:
                if (problem := exchange.settle()) is not None:
                    ctx.log.warning(f"the program left {problem}")
                raise
            if (problem := exchange.settle()) is None:
                return
            if ctx.operation == "uninstall":  # its metadata goes nowhere, and it has succeeded
                ctx.log.warning(f"the program left {problem}")
            else:
                raise ModuleError(f"{ctx.operation} left {problem}")

    def _program(self, ctx: Context[Any], operation: str) -> Program:
        command = ctx.config.of(operation) if isinstance(ctx.config, Commands) else ""
        return Program(operation, self.folder, command)

    def _refuse_incomplete(self, ctx: Context[Any]) -> None:
        """Raise ModuleError with what is wrong with the programs, be it one needed only later."""
        programs = [self._program(ctx, operation) for operation in REQUIRED]
        programs += [one for one in [self._program(ctx, "health")] if one.is_there]
        if problems := [problem for one in programs if (problem := one.problem()) is not None]:
            raise ModuleError("; ".join(dict.fromkeys(problems)))  # a missing folder only once


def _config(ctx: Context[Any]) -> dict[str, Any]:
    """The settings that ``module.toml`` declares, by alias; those without a value are absent."""
    if not isinstance(ctx.config, msgspec.Struct) or isinstance(ctx.config, Commands):
        return {}
    values = msgspec.to_builtins(ctx.config)
    return {alias: value for alias, value in values.items() if value is not None}


def _run(ctx: Context[Any], program: Program, told: str, environ: dict[str, str]) -> None:
    """Run a program to its end; its last line on stderr is the reason when it fails."""
    try:
        ended = ctx.run(program.argv, input=told, env=environ, cwd=program.cwd, check=False)
    except ModuleError as error:
        if isinstance(error.__cause__, OSError):
            raise ModuleError(program.explain(error.__cause__)) from None
        raise
    if ended.status == 0:
        return
    lines = [line for line in ended.stderr.split("\n") if line.strip()]
    if ended.status > 0 and lines:
        raise ModuleError(lines[-1])
    how = f"{ctx.operation} ended with {_describe(ended.status)}"
    raise ModuleError(f"{how}: {lines[-1]}" if lines else f"{how} and wrote nothing to stderr")


def _describe(status: int) -> str:
    """An exit status, negative for a signal, in words."""
    if status > 0:
        return f"exit status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"
