"""What a program is told, what it can answer, and how it fails: all of it with real programs."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from support.processes import alive, wait_until

from modulehost import Cancelled, ModuleError

from .command_module import OPERATIONS, Module


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Module:
    """Return a module whose programs do nothing."""
    return Module(tmp_path, monkeypatch)


REPLICAS = """
[config.replicas]
type = "integer"
default = 2
[config.appName]
type = "string"
[config.ratio]
type = "float"
default = 0.5
[config.loud]
type = "boolean"
default = true
[config.parts]
type = "multiple-options"
values = ["a", "b c"]
default = ["a", "b c"]
[config.note]
type = "string"
required = false
"""


@pytest.mark.parametrize("operation", OPERATIONS)
def test_standard_input_has_everything_as_json(module: Module, operation: str) -> None:
    """Operation, request id, kubeconfig, the config with its defaults, and the metadata."""
    (module.folder / "module.toml").write_text(REPLICAS)
    module.config = {"appName": "shop"}
    module.metadata = {"a": {"b": [1, 2.5, None, "ü"]}}
    module.program(operation, 'cat > "$OUT/told"')
    module.call(operation)
    assert json.loads(module.out("told")) == {
        "operation": operation,
        "requestId": "r-1",
        "kubeconfig": None,
        "config": {
            "replicas": 2, "appName": "shop", "ratio": 0.5, "loud": True, "parts": ["a", "b c"],
        },
        "metadata": {"a": {"b": [1, 2.5, None, "ü"]}},
    }  # fmt: skip


def environment(module: Module, operation: str = "install") -> dict[str, str]:
    """What the program of the operation has in its environment."""
    module.program(operation, 'env -0 > "$OUT/env"')
    module.call(operation)
    return dict(pair.split("=", 1) for pair in module.out("env").split("\0")[:-1])


def test_the_environment_has_the_config_with_its_defaults(module: Module) -> None:
    """By alias: text as it is, all else as JSON; what has no value is no variable."""
    (module.folder / "module.toml").write_text(REPLICAS)
    module.config = {"appName": "two words\nand a line"}
    given = {k: v for k, v in environment(module).items() if k.startswith("MODULE_CONFIG_")}
    assert given == {
        "MODULE_CONFIG_appName": "two words\nand a line",
        "MODULE_CONFIG_replicas": "2",
        "MODULE_CONFIG_ratio": "0.5",
        "MODULE_CONFIG_loud": "true",
        "MODULE_CONFIG_parts": '["a","b c"]',
    }


def test_the_environment_has_the_metadata(module: Module) -> None:
    """By key, where the key can be part of a name; null is no variable."""
    module.metadata = {
        "name": "a 'b' \"c\"", "n": 3, "on": False, "list": [1], "map": {"k": "v"}, "none": None,
        "app.kubernetes.io/name": "x", "": "x", "nul": "a\0b",
    }  # fmt: skip
    given = environment(module)
    assert {k: v for k, v in given.items() if k.startswith("MODULE_METADATA_")} == {
        "MODULE_METADATA_FILE": given["MODULE_METADATA_FILE"],
        "MODULE_METADATA_name": "a 'b' \"c\"",
        "MODULE_METADATA_n": "3",
        "MODULE_METADATA_on": "false",
        "MODULE_METADATA_list": "[1]",
        "MODULE_METADATA_map": '{"k":"v"}',
    }


def test_the_environment_tells_the_call(module: Module) -> None:
    """Which operation, whose request, how many seconds are left, where the cluster is."""
    module.kubeconfig = "/forkspacer/workspace_kubeconfig"
    module.deadline = 41.2
    given = environment(module, "resume")
    assert given["MODULE_OPERATION"] == "resume"
    assert given["MODULE_REQUEST_ID"] == "r-1"
    assert given["MODULE_DEADLINE_SECONDS"] in ("41", "42")
    assert given["KUBECONFIG"] == "/forkspacer/workspace_kubeconfig"
    assert given["PATH"] == os.environ["PATH"]


def test_no_metadata_takes_the_place_of_the_file(module: Module) -> None:
    """A key FILE is on standard input only."""
    module.metadata = {"FILE": "/etc/passwd"}
    assert environment(module)["MODULE_METADATA_FILE"].startswith(str(module.temporary))
    assert module.metadata == {"FILE": "/etc/passwd"}


def test_settings_of_the_host_are_not_taken_for_the_config(
    module: Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MODULE_CONFIG_DIR is the host's, and would look like the value of a setting DIR."""
    monkeypatch.setenv("MODULE_CONFIG_DIR", "/forkspacer")
    assert "MODULE_CONFIG_DIR" not in environment(module)


@pytest.mark.parametrize(
    "metadata",
    [{"long": "x" * 150_000}, {f"key{number}": "x" * 100 for number in range(30_000)}],
    ids=["a long value", "many values"],
)
def test_what_is_too_long_for_the_environment_is_on_standard_input(
    module: Module, metadata: dict[str, Any]
) -> None:
    """Linux would refuse to start the program; a warning names what is left out."""
    module.metadata = metadata
    module.program("install", 'cat > "$OUT/told"')
    module.call("install")
    assert json.loads(module.out("told"))["metadata"] == metadata
    [warning] = [e for e in module.logged.entries if e["log_level"] == "warning"]
    assert "too long" in warning["event"]
    assert warning["variables"][0].startswith("MODULE_METADATA_")
    assert "x" * 100 not in str(warning)


def test_a_program_need_not_read_what_it_is_told(module: Module) -> None:
    """Much more than a pipe holds is no reason to fail, nor to wait."""
    module.metadata = {"long": "x" * 500_000}
    module.call("install")


def test_the_metadata_file_holds_the_old_metadata(module: Module) -> None:
    """So a program may read it there, and one that changes nothing writes nothing."""
    module.metadata = {"a": 1, "b": {"c": [None]}}
    module.program("sleep", 'cat "$MODULE_METADATA_FILE" > "$OUT/file"')
    module.call("sleep")
    assert json.loads(module.out("file")) == {"a": 1, "b": {"c": [None]}}
    assert module.metadata == {"a": 1, "b": {"c": [None]}}


@pytest.mark.parametrize(
    "script",
    [
        """echo '{"new": [1]}' > "$MODULE_METADATA_FILE" """,
        """echo '{"new": [1]}' > "$MODULE_METADATA_FILE.new"
           mv "$MODULE_METADATA_FILE.new" "$MODULE_METADATA_FILE" """,
    ],
    ids=["written", "renamed"],
)
def test_what_is_in_the_metadata_file_is_the_new_metadata(module: Module, script: str) -> None:
    """All of it: what it leaves out is gone. It may be written over or replaced."""
    module.metadata = {"old": 1}
    module.program("install", script)
    module.call("install")
    assert module.metadata == {"new": [1]}


def test_a_change_that_no_clock_shows_is_seen(module: Module) -> None:
    """A file of the same size and time as before counts all the same."""
    module.metadata = {"a": 1}
    module.program(
        "install",
        'cp -p "$MODULE_METADATA_FILE" "$OUT/old"\n'
        """printf '{"a":2}\\n' > "$MODULE_METADATA_FILE"\n"""
        'touch -r "$OUT/old" "$MODULE_METADATA_FILE"',
    )
    module.call("install")
    assert module.metadata == {"a": 2}


BAD_FILES = {
    "empty": (": >", "an empty metadata file; write {} into it for no metadata"),
    "blank": ("echo >", "an empty metadata file"),
    "half": ("printf '{\"a\": ' >", "a metadata file that is not JSON: Input data was truncated"),
    "words": ("echo ready >", "a metadata file that is not JSON: JSON is malformed: invalid"),
    "latin": ('printf \'{"a": "\\374"}\' >', "a metadata file that is not JSON: 'utf-8' codec"),
    "array": ("echo '[1]' >", "a metadata file that holds no JSON object"),
    "null": ("echo null >", "a metadata file that holds no JSON object"),
    "gone": ("rm", "no metadata file; write {} into it for no metadata"),
    "huge": ("head -c 17000000 /dev/zero >", "a metadata file of more than 16777216 bytes"),
    "folder": ("f() { rm $1; mkdir $1; }; f", "a metadata file that cannot be read: Is a dir"),
    "pipe": ("f() { rm $1; mkfifo $1; }; f", "an empty metadata file"),
}


@pytest.mark.parametrize("kind", BAD_FILES)
@pytest.mark.parametrize("operation", ["install", "sleep", "resume"])
def test_a_metadata_file_that_is_none_is_a_failure(
    module: Module, kind: str, operation: str
) -> None:
    """The reason says what is wrong with it; the metadata is as before."""
    command, reason = BAD_FILES[kind]
    module.metadata = {"old": 1}
    module.program(operation, f'{command} "$MODULE_METADATA_FILE"')
    with pytest.raises(ModuleError) as caught:
        module.call(operation)
    assert str(caught.value).startswith(f"{operation} left {reason}")
    assert module.metadata == {"old": 1}
    assert list(module.temporary.iterdir()) == []


@pytest.mark.parametrize("kind", BAD_FILES)
def test_an_uninstall_succeeds_whatever_its_metadata_file_is(module: Module, kind: str) -> None:
    """Its metadata goes nowhere, and a failure would keep the pod for ever; a warning tells."""
    command, reason = BAD_FILES[kind]
    module.metadata = {"old": 1}
    module.program("uninstall", f'{command} "$MODULE_METADATA_FILE"')
    module.call("uninstall")
    [warning] = module.lines("warning")
    assert warning.startswith(f"the program left {reason}")


def test_the_metadata_of_a_failed_program_counts(module: Module) -> None:
    """What it had noted before it failed is what uninstall must look for."""
    module.metadata = {"old": 1}
    module.program(
        "install", """echo '{"created": "x"}' > "$MODULE_METADATA_FILE"; echo no >&2; exit 1"""
    )
    with pytest.raises(ModuleError, match=r"^no$"):
        module.call("install")
    assert module.metadata == {"created": "x"}


def test_a_failed_program_may_leave_half_a_metadata_file(module: Module) -> None:
    """Its own reason is told, and a warning about the file; the metadata is the last good one."""
    module.metadata = {"old": 1}
    module.program(
        "install", """printf '{"cre' > "$MODULE_METADATA_FILE"; echo disk full >&2; exit 1"""
    )
    with pytest.raises(ModuleError, match=r"^disk full$"):
        module.call("install")
    assert module.metadata == {"old": 1}
    [warning] = module.lines("warning")
    assert warning.startswith("the program left a metadata file that is not JSON")


def test_metadata_is_taken_while_the_program_runs(module: Module) -> None:
    """The host journals it from there, so it outlives the death of all of them."""
    module.program(
        "install",
        """echo '{"first": 1}' > "$MODULE_METADATA_FILE"
        while [ ! -e "$OUT/go" ]; do sleep 0.02; done
        echo '{"second": 2}' > "$MODULE_METADATA_FILE" """,
    )

    def meanwhile() -> None:
        wait_until(lambda: module.metadata == {"first": 1}, "it is taken")
        (module.root / "go").touch()

    module.call("install", meanwhile=meanwhile)
    assert module.metadata == {"second": 2}


def test_a_program_waits_until_its_metadata_is_kept(module: Module) -> None:
    """What it reads comes after the checkpoint, each time; and only then."""
    module.program(
        "install",
        """echo '{"n": 1}' > "$MODULE_METADATA_FILE"
        read -r first < "$MODULE_CHECKPOINT_FILE"
        echo '{"n": 2}' > "$MODULE_METADATA_FILE"
        second=$(cat "$MODULE_CHECKPOINT_FILE")
        echo "$first $second" > "$OUT/read" """,
    )
    module.call("install")
    assert module.out("read") == "kept kept\n"
    assert module.kept == [{"n": 1}, {"n": 2}]


@pytest.mark.parametrize("left", ["{", '{"n": 1e999}'])
def test_a_program_is_told_when_its_metadata_cannot_be_kept(module: Module, left: str) -> None:
    """It reads the end of the pipe; the log says why; the next try may be better."""
    module.program(
        "install",
        f"""echo '{left}' > "$MODULE_METADATA_FILE"
        read -r kept < "$MODULE_CHECKPOINT_FILE" && exit 1
        echo '{{"n": 2}}' > "$MODULE_METADATA_FILE"
        read -r kept < "$MODULE_CHECKPOINT_FILE" """,
    )
    module.call("install")
    assert module.kept == [{"n": 2}]
    assert module.lines("warning") == ["the metadata cannot be kept yet"]


def test_a_program_may_spoil_the_pipe(module: Module) -> None:
    """By removing it, by a file in its place, by opening it and going away."""
    for script in (
        'rm "$MODULE_CHECKPOINT_FILE"',
        'rm "$MODULE_CHECKPOINT_FILE"; echo mine > "$MODULE_CHECKPOINT_FILE"; sleep 0.1',
        'timeout 0.1 sleep 1 < "$MODULE_CHECKPOINT_FILE" || :',
    ):
        module.program("install", script)
        module.call("install")
    assert list(module.temporary.iterdir()) == []


def test_progress_is_told_while_the_program_runs(module: Module) -> None:
    """The last line of the progress file that has ended, once."""
    module.program(
        "install",
        r"""printf '1/3\n2/3 replicas\n\nhal' >> "$MODULE_PROGRESS_FILE"
        while [ ! -e "$OUT/go" ]; do sleep 0.02; done
        echo 'f of it' >> "$MODULE_PROGRESS_FILE"
        while [ ! -e "$OUT/gone" ]; do sleep 0.02; done""",
    )

    def meanwhile() -> None:
        for number, file in enumerate(("go", "gone"), 1):
            wait_until(lambda: len(module.progress) == number, "it is told")  # noqa: B023
            (module.root / file).touch()

    module.call("install", meanwhile=meanwhile)
    assert module.progress == ["2/3 replicas", "half of it"]


def test_the_output_is_logged_line_by_line(module: Module) -> None:
    """Both streams, each line with the name of its program."""
    module.program("install", "echo one; echo two >&2; printf three")
    module.call("install")
    assert sorted(module.lines("info")) == ["one", "three", "two"]
    assert {entry["program"] for entry in module.logged.entries} == {"install"}


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo first >&2; echo the last >&2; echo stdout; exit 3", "the last"),
        ("printf 'no newline' >&2; exit 1", "no newline"),
        ("printf 'the last\\n\\n  \\n' >&2; exit 1", "the last"),
        ("echo to stdout; exit 3", "install ended with exit status 3 and wrote nothing to stderr"),
        ("nosuchcommand", "nosuchcommand: not found"),
        ("kill -SEGV $$", "install ended with SIGSEGV and wrote nothing to stderr"),
        ("echo so far >&2; kill -KILL $$", "install ended with SIGKILL: so far"),
        ("kill -40 $$", "install ended with signal 40 and wrote nothing to stderr"),
    ],
)
def test_a_failure_has_the_last_line_on_stderr_as_its_reason(
    module: Module, script: str, reason: str
) -> None:
    """Without one the exit status or the signal is told."""
    module.program("install", script)
    with pytest.raises(ModuleError) as caught:
        module.call("install")
    assert str(caught.value).endswith(reason)


def test_the_reason_is_found_behind_much_output(module: Module) -> None:
    """However much comes before it."""
    module.program("install", "seq 20000 >&2; echo the reason >&2; exit 1")
    with pytest.raises(ModuleError, match=r"^the reason$"):
        module.call("install")


def test_a_cancelled_program_is_asked_to_stop_and_its_metadata_counts(module: Module) -> None:
    """SIGTERM reaches it, it tidies up and notes how far it got."""
    module.program(
        "install",
        """trap 'echo "{\\"half\\": true}" > "$MODULE_METADATA_FILE"; exit 1' TERM
        touch "$OUT/started"; while :; do sleep 0.02; done""",
    )
    with pytest.raises(Cancelled):
        module.call("install", cancel_when=(module.root / "started").exists)
    assert module.metadata == {"half": True}
    assert list(module.temporary.iterdir()) == []


def test_cancellation_ends_the_whole_process_group(module: Module) -> None:
    """Children, grandchildren, and whoever does not listen to SIGTERM."""
    module.program(
        "install",
        """sh -c 'trap "" TERM; touch "$OUT/deaf"; while :; do sleep 0.02; done' &
        echo $! > "$OUT/stubborn"
        sleep 60 & echo $! > "$OUT/tame"
        echo '{"a": 1}' > "$MODULE_METADATA_FILE"
        while [ ! -e "$OUT/deaf" ]; do sleep 0.02; done
        touch "$OUT/ready"; wait""",
    )
    with pytest.raises(Cancelled):
        module.call("install", cancel_when=(module.root / "ready").exists)
    for name in ("stubborn", "tame"):
        pid = int(module.out(name))
        wait_until(lambda pid=pid: not alive(pid), f"{name} is gone")  # type: ignore[misc]
    assert module.metadata == {"a": 1}


def test_the_working_folder_is_that_of_the_programs(module: Module) -> None:
    """What was shipped with them is found by relative paths."""
    (module.folder / "manifest.yaml").write_text("kind: x\n")
    module.program("install", 'cat manifest.yaml > "$OUT/found"')
    module.call("install")
    assert module.out("found") == "kind: x\n"


def test_nothing_is_left_of_the_exchange(module: Module) -> None:
    """Drafts of the program in the folder of its files are removed with it, folders too."""
    module.program(
        "install", 'cd "${MODULE_METADATA_FILE%/*}"; mkdir -p a/b; touch a/b/c d; ln -s / root'
    )
    module.call("install")
    assert list(module.temporary.iterdir()) == []
    assert Path("/etc/passwd").exists()


def test_what_a_killed_process_left_of_its_exchange_is_removed(module: Module) -> None:
    """By the next operation; those of processes that live are left alone."""
    ended = subprocess.Popen(["true"])
    ended.wait()
    names = [f"modulehost-command-{pid}-00" for pid in (ended.pid, os.getpid(), os.getppid())]
    for name in names:
        (module.temporary / name).mkdir()
        (module.temporary / name / "metadata.json").touch()
    module.call("install")
    assert [path.name for path in module.temporary.iterdir()] == names[2:]


def test_without_a_place_for_the_exchange_the_reason_says_so(
    module: Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And names the variable that cures it."""
    monkeypatch.setenv("TMPDIR", str(module.root / "nowhere"))
    with pytest.raises(ModuleError, match=r"nowhere/.*No such file or directory; set TMPDIR to"):
        module.call("install")


@pytest.mark.parametrize("operation", OPERATIONS)
def test_install_does_nothing_when_a_program_is_missing(module: Module, operation: str) -> None:
    """Be it one that is needed only later: what cannot be removed must not be made."""
    if operation != "install":
        module.program("install", 'touch "$OUT/made"')
    (module.folder / operation).unlink()
    with pytest.raises(ModuleError) as caught:
        module.call("install")
    assert str(caught.value).startswith(
        f"{module.folder}/{operation} is missing; {module.folder} must hold the executables"
        " install, uninstall, sleep, resume; there: "
    )
    assert not (module.root / "made").exists()


def test_all_problems_are_told_at_once(module: Module) -> None:
    """So that one look is enough."""
    module.program("uninstall", "", "#!/bin/nosuchshell")
    (module.folder / "sleep").chmod(0o644)
    (module.folder / "resume").unlink()
    with pytest.raises(ModuleError) as caught:
        module.call("install")
    for problem in (
        "uninstall begins with #!/bin/nosuchshell, which is not in this image; install it",
        "sleep is not executable; chmod +x it",
        "resume is missing; ",
    ):
        assert f"{module.folder}/{problem}" in str(caught.value)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: path.chmod(0o644), "is not executable; chmod +x it"),
        (lambda path: path.write_text("#!/usr/bin/nosuch -x\n"), "begins with #!/usr/bin/nosuch,"),
        (lambda path: path.write_text("#!\n"), "begins with #!, which is not in this image"),
        (lambda path: path.write_bytes(b"#!/bin/sh\r\nexit 0\r\n"), "has Windows line ends"),
        (lambda path: path.write_text("exit 0\n"), "is neither a script that begins with #!"),
        (lambda path: (path.unlink(), path.mkdir()), "is a folder, not a program"),
        (lambda path: (path.unlink(), path.symlink_to("nowhere")), "is missing;"),
        (lambda path: (path.unlink(), path.symlink_to("sleep")), "Too many levels of symbolic"),
    ],
    ids=["mode", "interpreter", "no interpreter", "crlf", "text", "folder", "link", "loop"],
)  # fmt: skip
@pytest.mark.parametrize("operation", ["sleep", "install", "health"])
def test_a_program_that_cannot_be_run_is_told_with_the_cure(
    module: Module, make: Any, reason: str, operation: str
) -> None:
    """Before anything is run, and by health as well: nobody need wait for the operation."""
    make(module.folder / "sleep")
    with pytest.raises(ModuleError) as caught:
        module.call(operation)
    assert f"{module.folder}/sleep" in str(caught.value)
    assert reason in str(caught.value)


def test_a_program_for_another_machine_is_told(module: Module) -> None:
    """An ELF file whose machine is none."""
    head = bytearray(Path("/bin/sh").read_bytes())
    head[18:20] = b"\xfe\xca"
    (module.folder / "sleep").write_bytes(head)
    with pytest.raises(ModuleError, match=r"Exec format error; it is built for another machine"):
        module.call("sleep")


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_a_program_whose_loader_is_missing_is_told(module: Module) -> None:
    """As one from Alpine in an image that is none: "No such file" alone would be a riddle."""
    source = module.root / "x.c"
    source.write_text("int main(void) { return 0; }\n")
    linked = ["cc", "-Wl,--dynamic-linker=/lib/ld-nosuch.so", "-o"]
    subprocess.run([*linked, str(module.folder / "sleep"), str(source)], check=True)
    with pytest.raises(ModuleError, match=r"No such file or directory; .*CGO_ENABLED=0"):
        module.call("sleep")


def test_a_missing_folder_is_told_with_the_cure(
    module: Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once, though four programs are missing."""
    monkeypatch.setenv("COMMAND_DIR", "/nowhere/")
    with pytest.raises(ModuleError) as caught:
        module.call("install")
    assert str(caught.value) == (
        "/nowhere, the folder of the programs, is missing; set COMMAND_DIR to where they are, or"
        " give commands in the config: installCommand and so on"
    )


def test_uninstall_without_its_program_is_content_when_nothing_was_installed(
    module: Module,
) -> None:
    """Install had refused, so there is nothing to remove; a failure would keep the pod for ever."""
    (module.folder / "uninstall").unlink()
    module.call("uninstall")
    assert module.lines("warning") == ["nothing was installed that could be uninstalled"]
    module.metadata = {"created": "x"}
    with pytest.raises(ModuleError, match="uninstall is missing"):
        module.call("uninstall")


COMMANDS = {f"{operation}Command": f'echo {operation} >> "$OUT/ran"' for operation in OPERATIONS}


def test_commands_in_the_config_need_no_folder(
    module: Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module out of the box: the four operations as text, run by /bin/sh."""
    monkeypatch.setenv("COMMAND_DIR", "/nowhere")
    module.config = {**COMMANDS, "healthCommand": "echo unwell >&2; exit 1"}
    for operation in OPERATIONS:
        module.call(operation)
    assert module.out("ran").split() == list(OPERATIONS)
    with pytest.raises(ModuleError, match=r"^unwell$"):
        module.call("health")


def test_a_command_goes_before_the_program(module: Module) -> None:
    """Each operation by itself: the others are the programs of the folder."""
    module.config = {"sleepCommand": 'echo command >> "$OUT/ran"; pwd >> "$OUT/ran"'}
    module.program("sleep", "exit 1")
    module.program("resume", 'echo program >> "$OUT/ran"')
    module.call("install")
    module.call("sleep")
    module.call("resume")
    assert module.out("ran").split() == ["command", str(module.folder), "program"]


def test_a_command_ends_with_its_first_failure(module: Module) -> None:
    """As with ``sh -e``: several lines do not pass because the last one does."""
    module.config = {"sleepCommand": 'ls /nowhere\ntouch "$OUT/after"'}
    with pytest.raises(ModuleError, match="/nowhere"):
        module.call("sleep")
    assert not (module.root / "after").exists()


def test_commands_are_no_settings_of_the_programs(module: Module) -> None:
    """They are not told what they themselves are."""
    module.config = {"resumeCommand": "exit 0"}
    assert not [name for name in environment(module) if name.startswith("MODULE_CONFIG_")]


def test_health_is_good_without_a_program_for_it(module: Module) -> None:
    """It is optional."""
    module.call("health")


def test_the_program_health_is_told_the_config_and_no_metadata(module: Module) -> None:
    """Nor a file to write it into."""
    (module.folder / "module.toml").write_text('[config.a]\ntype = "integer"\ndefault = 1\n')
    module.metadata = {"m": 1}
    module.program("health", 'cat > "$OUT/told"; env > "$OUT/env"')
    module.call("health")
    assert json.loads(module.out("told")) == {
        "operation": "health", "requestId": "r-1", "kubeconfig": None, "config": {"a": 1},
    }  # fmt: skip
    assert "MODULE_CONFIG_a=1\n" in module.out("env")
    assert "MODULE_METADATA" not in module.out("env")
    assert "MODULE_PROGRESS" not in module.out("env")


@pytest.mark.parametrize("operation", OPERATIONS)
def test_health_is_bad_while_a_program_is_missing(module: Module, operation: str) -> None:
    """An image that lacks one shows it before anything is installed."""
    (module.folder / operation).unlink()
    with pytest.raises(ModuleError, match=f"{operation} is missing"):
        module.call("health")


def test_a_program_health_that_cannot_be_run_is_told(module: Module) -> None:
    """It is optional, not ornamental."""
    module.program("health", "").chmod(0o644)
    with pytest.raises(ModuleError, match="health is not executable"):
        module.call("health")


def test_a_program_health_that_hangs_is_ended_at_its_deadline(module: Module) -> None:
    """Nobody else would: an operation that runs meanwhile is not disturbed for it."""
    module.deadline = 0.3
    module.program("health", 'echo $$ > "$OUT/pid"; exec sleep 60')
    begun = time.monotonic()
    with pytest.raises(Cancelled):
        module.call("health")
    assert time.monotonic() - begun < 20
    assert not alive(int(module.out("pid")))


def test_a_program_keeps_the_default_signals(module: Module) -> None:
    """SIGPIPE ends it, as when a shell had started it; Python itself ignores that one."""
    module.program("install", "grep SigIgn /proc/self/status >&2; exit 1")
    with pytest.raises(ModuleError) as caught:
        module.call("install")
    ignored = int(str(caught.value).split()[1], 16)
    assert not ignored & 1 << (signal.SIGPIPE - 1)
