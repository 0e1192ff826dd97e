"""The story of Modules on one's own machine, with real hosts."""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from local.conftest import Local
from support.processes import alive, tree, wait_until
from support.venv import ROOT

from modulehost.cli.local import configure
from modulehost.local import schema
from modulehost.local.store import Store
from modulehost.testing.operator import ANNOTATION, go_json

ITEM = {"name": "Copies", "alias": "copies", "integer": {"min": 1, "max": 3}}


def test_a_whole_story(local: Local) -> None:
    """Each phase is told, the metadata lasts from command to command, and nothing is left."""
    file = local.module()
    assert local.good("apply", "-f", file).splitlines()[:2] == ["shop installing", "  + install: 1"]
    assert local.metadata() == {"install": 1}
    [host] = local.hosts
    assert re.fullmatch(
        rf"NAME +PHASE +FOR +PLUGIN +HOST +MESSAGE\nshop +ready +\ds +good +port"
        rf" {local.state().pod.port} +Module installed successfully\n",  # type: ignore[union-attr]
        local.good("list"),
    )
    assert "shop sleeped after " in local.good("hibernate", "shop")
    assert local.good("hibernate", "shop") == "shop unchanged, sleeped\n"
    assert "  + resume: 1\nshop ready after" in local.good("resume", "shop")
    assert local.metadata() == {"install": 1, "resume": 1, "sleep": 1}
    described = local.good("describe", "shop")
    for words in (f"process {host} on port", "Phase:     ready, for", "Metadata:\n  install: 1\n"):
        assert words in described
    log = local.good("logs", "shop")
    assert len(re.findall("operation finished operation=(install|sleep|resume)", log)) == 3
    assert json.loads(local.good("logs", "--json", "shop").splitlines()[0])["event"] == "listening"
    assert local.good("delete", "shop").splitlines()[0] == "shop uninstalling"
    assert local.hosts == []
    assert [path.name for path in (local.folder / ".modulehost").iterdir()] == [".gitignore"]
    assert "there are no Modules" in local("list").stderr


def test_the_config_is_given_as_it_is(local: Local) -> None:
    """Without the defaults, to nobody else's eyes; what is not given is an empty object."""
    items = [ITEM, {"name": "Size", "alias": "size", "string": {"default": "small"}}]
    local.good("apply", "-f", local.module(config={"copies": 2.7}, items=items))
    local.good("apply", "-f", local.module(name="blog", items=items))
    for name, text in (("shop", {"copies": 2.7}), ("blog", {})):
        path = local.folder / ".modulehost" / name / "config" / "config.json"
        assert json.loads(path.read_text()) == text
        assert path.stat().st_mode & 0o077 == 0


@pytest.mark.slow
def test_a_module_that_is_to_be_asleep_is_put_to_sleep(local: Local) -> None:
    """As soon as it is installed; applied again with false it wakes up."""
    assert "shop sleeped" in local.good("apply", "-f", local.module(hibernated=True))
    assert local.good("apply", "-f", local.module(hibernated=True)) == "shop unchanged, sleeped\n"
    assert "shop ready" in local.good("apply", "-f", local.module(hibernated=False))


@pytest.mark.slow
def test_what_was_never_applied_stays_when_a_file_is_applied_again(local: Local) -> None:
    """As kubectl does it: ``hibernated`` is not in the file, so the Module sleeps on."""
    file = local.module()
    local.good("apply", "-f", file)
    local.good("hibernate", "shop")
    assert local.good("apply", "-f", file) == "shop unchanged, sleeped\n"
    assert "shop ready" in local.good("apply", "-f", local.module(hibernated=False))
    local.good("hibernate", "shop")
    assert "shop ready" in local.good("apply", "-f", local.module())


@pytest.mark.slow
def test_what_cannot_be_changed_is_refused(local: Local) -> None:
    """With the cure; what can be is changed without a call."""
    local.good("apply", "-f", local.module(config={"copies": 2}, items=[ITEM]))
    for field, change in (
        ('spec.config: Invalid value: {"copies":3}', {"config": {"copies": 3}}),
        (
            'spec.workspace: Invalid value: {"name":"other","namespace":"default"}',
            {"workspace": {"name": "other"}, "config": {"copies": 2}},
        ),
        (
            'spec.custom.image: Invalid value: "x/y"',
            {"custom": {"image": "x/y"}, "config": {"copies": 2}},
        ),
    ):
        reason = local.bad("apply", "-f", local.module(items=[ITEM], **change), status=2)
        cure = "modulehost local delete shop, then apply it again"
        assert reason == f"modulehost: shop: {field}: field is immutable: {cure}\n"
    changed = local.module(config={"copies": 2}, items=[{**ITEM, "name": "Number"}])
    assert local.good("apply", "-f", changed) == "shop configured\n"
    assert local.metadata() == {"install": 1}


def test_an_install_that_fails_is_final(local: Local) -> None:
    """The user reads the operator's event; nothing but deletion is left, with the old metadata."""
    reason = local.bad("apply", "-f", local.module("raises"), RAISES="ModuleError")
    event = (
        "Module installation failed: failed to install module: custom module install endpoint"
        " returned error: the database refuses us\n"
    )
    assert reason.splitlines() == [
        f"modulehost: {event.rstrip()}",
        "modulehost: nothing but deletion is left: modulehost local delete shop, and apply it"
        " again; modulehost local logs shop has the log",
    ]
    state = local.state()
    assert (state.phase, state.metadata) == ("failed", {})
    assert state.message == "Module installation failed. Check events for more information."
    assert [(e.reason, e.message) for e in state.events] == [("InstallError", event)]
    assert event.rstrip() in " ".join(local.good("describe", "shop").split())
    for command in ("hibernate", "resume"):
        assert "nothing but deletion is left" in local.bad(command, "shop")
    assert "unchanged, failed" in local.good("apply", "-f", local.folder / "shop.yaml")
    local.good("delete", "shop")
    given = [json.loads(line) for line in (local.folder / "given").read_text().splitlines()]
    assert given[-1][0] == "uninstall"
    assert local.hosts == []


REFUSED = 'failed to validate integer config for alias "copies": value 4 is greater than maximum 3'


def test_a_config_that_the_operator_refuses_is_not_taken(local: Local) -> None:
    """At apply: the webhook refuses it, and there is no Module."""
    file = local.module(config={"copies": 4}, items=[ITEM])
    for command in ("apply", "run"):
        reason = local.bad(command, "-f", file, status=2)
        assert (
            reason == f'modulehost: shop: spec.config: Invalid value: {{"copies":4}}: {REFUSED}\n'
        )
    assert "there are no Modules" in local("list").stderr


def test_without_webhooks_such_a_config_fails_the_install(local: Local) -> None:
    """Without a host: no pod is made for it, and deleting it has nothing to end."""
    file = local.module(config={"copies": 4}, items=[ITEM])
    reason = local.bad("apply", "-f", file, "--no-webhooks")
    event = f"failed to render Custom spec: {REFUSED}"
    assert f"Module installation failed: {event}\n" in reason
    assert (local.state().phase, local.state().pod, local.hosts) == ("failed", None, [])
    assert "shop has no log" in local.bad("logs", "shop")
    reason = local.bad("delete", "shop")
    end = "Finalizer will be removed to allow deletion."
    assert f"Module uninstallation failed: {event}. {end}\n" in reason
    assert "nothing was installed, so nothing is left" in reason
    assert "there are no Modules" in local("list").stderr


def test_the_older_format_is_refused_and_past_kubectl_fails(local: Local) -> None:
    """As the operator since October 2025 treats it."""
    file = local.module()
    document = json.loads(file.read_text())
    document["spec"]["source"] = {"raw": {"kind": "Custom"}}
    del document["spec"]["custom"]
    file.write_text(json.dumps(document))
    assert 'unknown field "spec.source"' in local.bad("apply", "-f", file, status=2)
    assert "Module installation failed: " in local.bad("apply", "-f", file, "--no-validate")
    assert (local.state().phase, local.hosts) == ("failed", [])


@pytest.mark.slow
def test_the_crd_of_a_cluster_can_stand_in_for_ours(local: Local) -> None:
    """A field that ours does not know is taken, and its defaults are filled in."""
    shape = json.loads(json.dumps(schema.MODULE))
    shape["properties"]["spec"]["properties"]["tier"] = {"type": "string", "default": "free"}
    spec = {"versions": [{"name": "v1", "schema": {"openAPIV3Schema": shape}}]}
    crd = local.folder / "crd.json"
    crd.write_text(json.dumps({"kind": "CustomResourceDefinition", "spec": spec}))
    local.good("apply", "-f", local.module(), "--crd", crd)
    assert local.state().document["spec"]["tier"] == "free"
    file = local.module(tier="paid")
    assert 'unknown field "spec.tier"' in local.bad("apply", "-f", file, status=2)
    assert "has no CustomResourceDefinition" in local.bad(
        "apply", "-f", file, "--crd", file, status=2
    )


def test_a_misspelt_key_is_asked_about(local: Local) -> None:
    """The operator passes it on."""
    file = local.module(config={"copeis": 2}, items=[ITEM])
    result = local("apply", "-f", file)
    assert result.returncode == 0
    assert result.stderr == (
        "modulehost: shop: spec.config: there is no item copeis; did you mean copies?\n"
    )


@pytest.mark.parametrize(("command", "phase"), [("hibernate", "sleeping"), ("resume", "resuming")])
def test_a_failed_call_leaves_the_phase_until_it_is_stuck(
    local: Local, command: str, phase: str
) -> None:
    """Deleted meanwhile it would hang; failed at last, it can be."""
    operation = {"hibernate": "sleep"}.get(command, command)
    local.good("apply", "-f", local.module("builds_things", hibernated=command == "resume"))
    before = local.metadata()
    (local.folder / "fault").write_text(f"{operation} fail")
    reason = local.bad(command, "shop")
    assert f"Module {operation} failed: failed to {operation} module: custom module" in reason
    assert f"shop stays {phase}, and is failed after 300 s" in reason
    state = local.state()
    assert (state.phase, state.events[-1].reason) == (phase, f"{operation.capitalize()}Error")
    assert local.metadata() == before
    local.let_time_pass(300)
    assert re.search(rf"shop +failed +.* +Timed out in {phase} phase after", local.good("list"))
    assert "PhaseTimeout" in local.good("describe", "shop")
    local.good("delete", "shop")
    assert local.hosts == []


@pytest.mark.slow
def test_how_long_a_module_may_be_on_its_way_can_be_said(local: Local) -> None:
    """For those who do not wait for five minutes."""
    local.good("apply", "-f", local.module("builds_things"), "--stuck-after", "0.5")
    (local.folder / "fault").write_text("sleep fail")
    assert "is failed after 0.5 s" in local.bad("hibernate", "shop")
    wait_until(lambda: local.state().phase == "failed", "the module is failed")


def test_a_module_that_is_deleted_on_its_way_hangs_until_it_is_failed_by_hand(local: Local) -> None:
    """The five minutes do not count for it; then it is uninstalled at once."""
    local.good("apply", "-f", local.module("builds_things"))
    (local.folder / "fault").write_text("sleep fail")
    local.bad("hibernate", "shop")
    assert "the operator leaves it alone" in local.bad("resume", "shop")
    told = local.bad("delete", "shop")
    assert told == (
        "modulehost: shop is deleted in the phase sleeping, and hangs, for the operator leaves it"
        " alone for ever: modulehost local fail shop; in a cluster: kubectl patch module shop"
        """ --subresource=status --type=merge -p '{"status":{"phase":"failed"}}'\n"""
    )
    local.let_time_pass(1000)
    assert re.search(r"^shop +sleeping", local.good("list"), re.MULTILINE)
    assert "and hangs" in local.bad("resume", "shop")
    told = local.good("fail", "shop")
    assert told.splitlines()[:2] == ["shop failed", "shop uninstalling"]
    assert (local.hosts, local("list").stdout) == ([], "")


@pytest.mark.slow
def test_a_module_can_be_forgotten_on_its_way(local: Local) -> None:
    """Without a call."""
    local.good("apply", "-f", local.module("builds_things"))
    (local.folder / "fault").write_text("sleep fail")
    local.bad("hibernate", "shop")
    assert local.good("delete", "--force", "shop") == "shop forgotten; uninstall was not called\n"
    assert local.hosts == []


def test_a_workspace_that_wakes_up_wakes_no_module(local: Local) -> None:
    """It puts all of its own to sleep; each is woken by itself."""
    local.good("apply", "-f", local.module())
    local.good("apply", "-f", local.module(name="blog", workspace={"name": "other"}))
    assert "shop sleeped" in local.good("hibernate", "--workspace", "dev")
    assert [local.state(name).phase for name in ("shop", "blog")] == ["sleeped", "ready"]
    result = local("resume", "--workspace", "default/dev")
    assert (result.returncode, result.stdout) == (0, "shop unchanged, sleeped\n")
    patch = """kubectl patch module shop --type=merge -p '{"spec":{"hibernated":false}}'"""
    assert f"wakes no Module: modulehost local resume shop; in a cluster: {patch}" in result.stderr
    assert "shop ready" in local.good("resume", "shop")
    reason = local.bad("hibernate", "--workspace", "stage", status=2)
    assert reason == "modulehost: no Module is of the workspace stage; there are dev, other\n"


def test_the_operators_annotation_names_pod_and_service(local: Local) -> None:
    """They are generated; the pod knows its own name, and the call's Host is the Service."""
    local.good("apply", "-f", local.module("tells_modules", name="1.shop.prod"))
    state = local.state("1.shop.prod")
    kept = state.manager
    assert kept.keys() == {
        *("innerMetaData", "runnerPodName", "runnerPodUniqueLabel", "runnerServiceName")
    }
    assert re.fullmatch(r"custom-manager-runner-\d{14}", kept["runnerPodUniqueLabel"])
    assert state.pod is not None
    environ = Path(f"/proc/{state.pod.pid}/environ").read_bytes().split(b"\0")
    assert f"HOSTNAME={kept['runnerPodName']}".encode() in environ
    pinned = "".join(path.read_text(errors="replace") for path in local.state_files("1.shop.prod"))
    assert kept["runnerServiceName"] in pinned


@pytest.mark.slow
def test_a_pod_knows_the_services_that_were_there_before_it(local: Local) -> None:
    """Seven variables each, as Kubernetes adds them."""
    local.good("apply", "-f", local.module())
    local.good("apply", "-f", local.module(name="blog"))
    first, second = local.state("shop"), local.state("blog")
    assert first.pod is not None
    assert second.pod is not None
    environ = Path(f"/proc/{second.pod.pid}/environ").read_text().split("\0")
    links = [line for line in environ if line.startswith("CUSTOM_MANAGER_")]
    prefix = first.manager["runnerServiceName"].upper().replace("-", "_")
    assert len(links) == 7
    assert f"{prefix}_PORT=tcp://127.0.0.1:{first.pod.port}" in links


@pytest.mark.slow
def test_the_operators_idle_connection_keeps_the_host_awake(local: Local) -> None:
    """Beyond the end of the command; the next call takes its place, and deletion ends it."""
    local.good("apply", "-f", local.module(), MODULE_IDLE=0.3)
    [connection], [host] = local.connections, local.hosts
    wait_until(lambda: "operation finished" in local.good("logs", "shop"), "the call is over")
    time.sleep(1)
    assert len(tree(host)) > 1
    local.good("hibernate", "shop")
    [another] = local.connections
    assert another != connection
    os.kill(another, signal.SIGTERM)
    wait_until(lambda: len(tree(host)) == 1, "the host is asleep")
    local.good("resume", "shop")
    local.good("delete", "shop")
    assert local.connections == []


def test_a_module_is_printed_as_kubectl_prints_it(local: Local) -> None:
    """For other programs: its annotations, its status, and the events beside it."""
    local.bad("apply", "-f", local.module("raises"), RAISES="ModuleError")
    printed = json.loads(local.good("describe", "shop", "--json"))
    assert printed["status"]["phase"] == "failed"
    assert printed["spec"]["hibernated"] is False
    copy = printed["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"]
    assert json.loads(copy)["spec"] == json.loads((local.folder / "shop.yaml").read_text())["spec"]
    [event] = printed["events"]
    assert (event["type"], event["reason"]) == ("Warning", "InstallError")
    assert event["message"].endswith("returned error: the database refuses us\n")


@pytest.mark.slow
def test_a_name_is_taken_once(local: Local) -> None:
    """Whatever the namespace."""
    local.good("apply", "-f", local.module())
    file = local.module()
    document = json.loads(file.read_text())
    document["metadata"]["namespace"] = "stage"
    file.write_text(json.dumps(document))
    reason = local.bad("apply", "-f", file, status=2)
    assert "shop is there already, in the namespace default" in reason


@pytest.mark.slow
def test_after_a_failed_uninstall_the_host_is_left(local: Local) -> None:
    """The Module goes all the same; the call can be repeated, and the host be removed."""
    local.good("apply", "-f", local.module("builds_things"))
    (local.folder / "fault").write_text("uninstall fail")
    reason = local.bad("delete", "shop")
    assert ": half-way through\n. Finalizer will be removed to allow deletion.\n" in reason
    [host] = local.hosts
    assert f"process {host}, port" in reason
    assert local.state().phase == "deleted"
    file = local.folder / "shop.yaml"
    assert "is left behind" in local.bad("apply", "-f", file, status=2)
    assert "modulehost call uninstall --port" in local.bad("delete", "shop")
    assert "delete --force shop" in local.bad("resume", "shop")
    [again] = re.findall(r"MODULE_STATE_DIR=(\S+) modulehost call uninstall --port (\d+)", reason)
    assert again == (".modulehost/shop/state", str(local.state().pod.port))  # type: ignore[union-attr]
    local.good("delete", "--force", "shop")
    assert local.hosts == []
    local.good("apply", "-f", file)


@pytest.mark.slow
def test_an_empty_answer_does_not_replace_the_metadata(local: Local) -> None:
    """What was stored is sent again."""
    local.good("apply", "-f", local.module("builds_things"))
    before = local.metadata()
    (local.folder / "fault").write_text("sleep empty")
    told = local.good("hibernate", "shop")
    assert "note: the answer was empty, so what is stored stays as it was" in told
    assert (local.state().phase, local.metadata()) == ("sleeped", before)


def test_metadata_beyond_the_annotations_is_lost_and_told(local: Local) -> None:
    """The operator takes the call for a success; here somebody is told of it."""
    told = local.good("apply", "-f", local.module("leaves_huge"), MODULE_MAX_METADATA="1MiB")
    assert re.search(r"was not stored, .* takes 262\d{3} bytes of at most 262144; store less", told)
    assert (local.state().phase, local.state().metadata) == ("ready", {})


@pytest.mark.slow
def test_metadata_is_kept_as_go_keeps_it(local: Local) -> None:
    """Texts and numbers as Go writes them."""
    local.good("apply", "-f", local.module("builds_things"))
    local.good("hibernate", "shop")
    kept = r'"replicas":{"note":"\u003c\u0026\u003e \u2028 ' + "\u00e9" + '","ratio":0.1,"web":3}'
    assert kept in local.state().annotations[ANNOTATION]


@pytest.mark.slow
def test_a_host_that_was_killed_is_not_started_again(local: Local) -> None:
    """Like a pod that is gone: the operator waits for it in vain, and takes away what is left."""
    local.good("apply", "-f", local.module())
    [host] = local.hosts
    os.kill(host, signal.SIGKILL)
    wait_until(lambda: not alive(host), "the host is gone")
    assert "has ended" in local.good("list")
    assert "has ended: calls fail from now on" in local.good("describe", "shop")
    service = local.state().manager["runnerServiceName"]
    gone = f"failed to install Custom module: service {service} did not become ready within 30 sec"
    assert f"Module sleep failed: {gone}" in local.bad("hibernate", "shop")
    assert (local.state().phase, local.state().pod) == ("sleeping", None)
    local.let_time_pass(300)
    reason = local.bad("delete", "shop")
    assert f"Module uninstallation failed: {gone}" in reason
    assert "nobody can call its host any more: what the plugin has made is still there" in reason
    assert "there are no Modules" in local("list").stderr


@pytest.mark.slow
def test_without_pod_and_service_in_the_annotation_there_are_new_ones(local: Local) -> None:
    """With the metadata, a fresh kubeconfig, and nothing of the journal that the old pod had."""
    kubeconfig = local.folder / "kubeconfig"
    kubeconfig.write_text("old token")
    custom = {"image": "x/y", "permissions": ["workspace"]}
    local.good("apply", "-f", local.module(custom=custom), "--kubeconfig", kubeconfig)
    [before], first = local.hosts, local.state()
    with Store(local.folder).hold("shop") as (home, state):
        state.annotations[ANNOTATION] = go_json({"innerMetaData": state.metadata})
        home.write(state)
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: not alive(before), "the host is gone")
    kubeconfig.write_text("new token")
    assert "shop sleeped" in local.good("hibernate", "shop")
    state = local.state()
    assert state.metadata == {"install": 1, "sleep": 1}
    assert state.manager["runnerServiceName"] != first.manager["runnerServiceName"]
    mounted = local.folder / ".modulehost/shop/config/workspace_kubeconfig"
    assert mounted.read_text() == "new token"


@pytest.mark.slow
def test_a_pod_that_does_not_start_fails_the_install_and_deletion_makes_another(
    local: Local,
) -> None:
    """None was recorded, so uninstall gets a fresh one, with ``{}``."""
    file = local.module("raises")
    (local.folder / ".modulehost/shop").mkdir(parents=True)
    (local.folder / ".modulehost/shop/config").touch()  # nothing can be mounted there
    reason = local.bad("apply", "-f", file)
    failed = "failed to install Custom module: custom module runner pod failed: pod phase Failed"
    assert f"Module installation failed: {failed}\n" in reason
    assert (local.state().phase, local.state().manager, local.hosts) == ("failed", {}, [])
    (local.folder / ".modulehost/shop/config").unlink()
    local.good("delete", "shop")
    assert (local.folder / "given").read_text() == '["uninstall", {}]\n'


def test_ctrl_c_is_a_restart_of_the_operator(local: Local) -> None:
    """The connection drops, the host cancels, and the module stays in its phase until stuck."""
    command = local.start("apply", "-f", local.module("waits"), "--stuck-after", "3600")
    wait_until(lambda: (local.folder / "misbehaving").exists(), "the hook runs")
    assert local.state().phase == "installing"
    assert "another command is at work on it" in local.bad("delete", "shop", status=2)
    command.send_signal(signal.SIGINT)
    _, said = command.communicate(timeout=20)
    assert command.returncode == 130
    assert "as if the operator had been restarted: shop stays installing, and is failed" in said
    wait_until(lambda: (local.folder / "cancelled").exists(), "the hook is cancelled")
    assert (local.state().phase, local.state().metadata) == ("installing", {})
    assert len(local.hosts) == 1


def test_a_module_that_cannot_be_read_hides_no_other(local: Local) -> None:
    """It is listed with what to do."""
    local.good("apply", "-f", local.module())
    broken = local.folder / ".modulehost" / "blog"
    broken.mkdir()
    (broken / "module.json").write_text("{")
    listed = local.good("list")
    assert re.search(r"^blog +unknown .* is not what was written there: remove", listed, re.M)
    assert re.search(r"^shop +ready ", listed, re.MULTILINE)


@pytest.mark.slow
def test_a_reader_may_leave(local: Local) -> None:
    """As ``head`` does: no traceback."""
    local.good("apply", "-f", local.module())
    with local.start("logs", "--follow", "shop") as command:
        assert command.stdout is not None
        assert command.stderr is not None
        command.stdout.readline()
        command.stdout.close()
        local.good("hibernate", "shop")
        local.good("delete", "shop")
        assert "Traceback" not in command.stderr.read()


@pytest.mark.slow
def test_a_log_is_followed(local: Local) -> None:
    """Until the host ends."""
    local.good("apply", "-f", local.module())
    command = local.start("logs", "--follow", "shop")
    assert command.stdout is not None
    while "operation=install plugin" not in command.stdout.readline():
        pass
    local.good("hibernate", "shop")
    while "operation=sleep plugin" not in command.stdout.readline():
        pass
    local.good("delete", "shop")
    command.communicate(timeout=20)
    assert command.returncode == 0


@pytest.mark.slow
def test_the_kubeconfig_is_mounted_with_the_permission(local: Local) -> None:
    """And with it alone, as the operator does."""
    kubeconfig = local.folder / "kubeconfig"
    kubeconfig.write_text("token")
    file = local.module()
    reason = local.bad("apply", "-f", file, "--kubeconfig", kubeconfig, status=2)
    assert "shop has not the permission workspace" in reason
    custom = {"image": "x/y", "permissions": ["workspace"]}
    file = local.module(custom=custom)
    local.good("apply", "-f", file, "--kubeconfig", kubeconfig)
    mounted = local.folder / ".modulehost/shop/config/workspace_kubeconfig"
    assert (mounted.read_text(), mounted.stat().st_mode & 0o077) == ("token", 0)
    assert "there is no kubeconfig: give one" in local("run", "-f", file).stderr
    reason = local.bad("run", "-f", file, "--kubeconfig", "nowhere", status=2)
    assert reason == "modulehost: --kubeconfig: there is no file nowhere\n"


@pytest.mark.slow
def test_standard_input_is_read(local: Local) -> None:
    """``-f -``."""
    file = local.module()
    with file.open() as text:
        result = local_with_input(local, text.fileno())
    assert "shop ready" in result
    assert local.state().phase == "ready"


def local_with_input(local: Local, text: int) -> str:
    """Apply what is on standard input."""
    command = [sys.executable, "-m", "modulehost", "local", "apply", "-f", "-"]
    return subprocess.run(
        command, stdin=text, cwd=local.folder, env=local.environ, text=True, check=True,
        capture_output=True,
    ).stdout  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("apply", "-f", "nowhere.yaml"), "nowhere.yaml cannot be read: No such file or directory"),
        (("apply", "-f", "."), ". cannot be read: Is a directory"),
        (("apply", "-f", "shop.yaml", "--crd", "nowhere"), "nowhere cannot be read"),
        (("hibernate",), "one of the arguments NAME --workspace is required"),
        (("run", "-f", "shop.yaml", "--plugin", "x"), "x: no such plugin; installed: "),
        (("describe", "shop"), "there is no Module shop in .modulehost: make one with"),
        (("delete", "shop"), "there is no Module shop"),
        (("apply",), "--file"),
        (("apply", "-f", "x", "--stuck-after", "0"), "--stuck-after"),
        ((), "COMMAND"),
    ],
)
def test_mistakes_are_told(local: Local, arguments: tuple[str, ...], words: str) -> None:
    """The exit status is 2, and the last line says what to do."""
    local.module()
    assert words in local.bad(*arguments, status=2).splitlines()[-1]
    assert not list(Path(local.folder).glob(".modulehost/[a-z]*"))


def test_the_documentation_lists_every_command() -> None:
    """With its options, in order."""
    text = (ROOT / "docs" / "local.md").read_text()
    listed = {
        words.split()[0]: re.findall("--[a-z-]+|-f FILE", words)
        for words in re.findall(r"^\| `local ([^`]+)` \|", text, re.MULTILINE)
    }
    parser = argparse.ArgumentParser()
    configure(parser)
    [commands] = [a.choices for a in parser._actions if isinstance(a.choices, dict)]
    assert listed == {
        name: [
            {"--file": "-f FILE"}.get(a.option_strings[0], a.option_strings[0])
            for a in command._actions[1:]
            if a.option_strings
        ]
        for name, command in commands.items()
    }
