"""Plugins: found without running anything, selected without guessing, loaded with every check."""

from __future__ import annotations

import importlib
import importlib.metadata
import re
import sys
import textwrap
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.site import write_metadata

from modulehost.plugin import discovery
from modulehost.plugin.discovery import Found, Plugin
from modulehost.shared.errors import PluginError

HEAD = """
from __future__ import annotations
import functools
from typing import Annotated, Any, Literal
import msgspec
from modulehost import Context, ModuleError, hookimpl
"""

HOOKS = """
    @hookimpl
    def install(self, ctx, metadata): metadata["install"] = ctx
    @hookimpl
    def uninstall(self, ctx, metadata): ...
    @hookimpl
    def sleep(self, ctx, metadata): ...
    @hookimpl
    def resume(self, ctx, metadata): ...
"""

Load = Callable[..., Plugin]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder that packages are found in."""
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    return tmp_path


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """Load a plugin from its source: a whole module, or the body of its manager."""
    monkeypatch.syspath_prepend(tmp_path)
    made: list[str] = []

    def load(body: str = HOOKS, *, source: str | None = None, value: str = "Manager") -> Plugin:
        name = f"plugin_{uuid.uuid4().hex}"
        made.append(name)
        text = source if source is not None else f"class Manager:\n{body or '    pass'}"
        (tmp_path / f"{name}.py").write_text(HEAD + textwrap.dedent(text))
        importlib.invalidate_caches()
        value = value if ":" in value else f"{name}:{value}" if value else name
        return discovery.load(Found("shop", value, "shop-plugin", "1.2", "Sells"))

    yield load
    for name in made:
        sys.modules.pop(name, None)


def problem(load: Load, *arguments: Any, **keywords: Any) -> str:
    """The reason for which it is not loaded; it names the plugin and its package."""
    with pytest.raises(PluginError) as caught:
        load(*arguments, **keywords)
    start = "plugin 'shop' of shop-plugin 1.2: "
    assert str(caught.value).startswith(start)
    return re.sub(r"plugin_[0-9a-f]{32}", "MODULE", str(caught.value).removeprefix(start))


class TestFind:
    """What is installed."""

    def test_nothing_installed_is_nothing_found(self, site: Path) -> None:
        """An empty folder, and one that is not there, hold no plugins."""
        sys.path.append(str(site / "nowhere"))
        assert discovery.find() == []

    def test_plugins_are_found_by_name(self, site: Path) -> None:
        """Name, entry point, package, version, summary; sorted, other groups left out."""
        write_metadata(site, "shop-plugin", "shop", "shop_plugin")
        write_metadata(site, "blog-plugin", "blog", "blog_plugin", "sub.Manager")
        other = site / "other-1.0.dist-info"
        other.mkdir()
        (other / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n")
        (other / "entry_points.txt").write_text("[console_scripts]\nmodulehost.managers = a:b\n")
        assert discovery.find() == [
            Found("blog", "blog_plugin:sub.Manager", "blog-plugin", "1.0", "For tests"),
            Found("shop", "shop_plugin:Manager", "shop-plugin", "1.0", "For tests"),
        ]

    def test_finding_imports_nothing(self, site: Path) -> None:
        """No code of a package runs to find its plugins."""
        name = f"plugin_{uuid.uuid4().hex}"
        (site / f"{name}.py").write_text("raise SystemExit('I was imported')")
        write_metadata(site, "bomb", "bomb", name)
        assert [found.name for found in discovery.find()] == ["bomb"]
        assert name not in sys.modules

    @pytest.mark.parametrize(
        "text",
        [
            "[modulehost.managers]\na = m:A\nb=m:B\n\n[other]\nc = m:C\n",
            "[other]\nc = m:C\n[modulehost.managers]\n  a  =  m.n : A.b  \n",
            "# a comment\n[modulehost.managers]\n# another = one:x\na = m:A\n; third = x:y\n",
            "[modulehost.managers]\na = m:A [extra,other]\n",
            "[modulehost.managers]\na = m\n",
            "[modulehost.managers]\r\na = m:A\r\n",
            "[modulehost.managers]\n\n",
            "[modulehost.managers.more]\na = m:A\n",
        ],
    )
    def test_entry_points_are_read_as_python_reads_them(self, site: Path, text: str) -> None:
        """The same names and objects as importlib.metadata has."""
        write_metadata(site, "shop-plugin", "x", "x")
        (site / "shop_plugin-1.0.dist-info" / "entry_points.txt").write_bytes(text.encode())
        (distribution,) = importlib.metadata.distributions(path=[str(site)])
        entries = distribution.entry_points.select(group="modulehost.managers")
        theirs = sorted((e.name, e.module, e.attr or "") for e in entries)
        ours = []
        for found in discovery.find():
            module, _, attribute = found.value.partition(":")
            ours.append((found.name, module, attribute))
        assert ours == theirs

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("entry_points.txt", b"\xff\xfe"),
            ("entry_points.txt", b"[modulehost.managers]\nno equals sign here\n"),
            ("METADATA", b"\xff\xfe"),
            ("METADATA", b""),
            ("METADATA", b"Name: broken\n"),
            ("METADATA", None),
            ("entry_points.txt", None),
        ],
    )
    def test_one_broken_package_never_disturbs_another(
        self, site: Path, name: str, text: bytes | None
    ) -> None:
        """What cannot be read is passed over, the others are found."""
        write_metadata(site, "broken", "broken", "broken")
        write_metadata(site, "shop-plugin", "shop", "shop_plugin")
        file = site / "broken-1.0.dist-info" / name
        file.unlink()
        if text is not None:
            file.write_bytes(text)
        assert [found.name for found in discovery.find()] == ["shop"]

    def test_an_earlier_folder_wins(self, site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Of a package that is there twice the first counts, as for imports; named either way."""
        first, second = site / "first", site / "second"
        write_metadata(first, "shop-plugin", "new", "shop_plugin")
        write_metadata(second, "shop-plugin", "old", "shop_plugin")
        (second / "shop_plugin-1.0.dist-info").rename(second / "Shop.Plugin-0.9.dist-info")
        monkeypatch.setattr(sys, "path", [str(first), str(second), str(first)])
        assert [found.name for found in discovery.find()] == ["new"]

    def test_names_that_begin_alike_are_two_packages(self, site: Path) -> None:
        """Dots in a package's name do not make it another one."""
        for name in ("my.distance", "my.distribution", "my.eggs", "my"):
            write_metadata(site, name, name, "m")
        names = [found.name for found in discovery.find()]
        assert names == ["my", "my.distance", "my.distribution", "my.eggs"]

    def test_an_egg_info_folder_counts(self, site: Path) -> None:
        """What setup.py develop has written is found as well."""
        write_metadata(site, "shop-plugin", "shop", "shop_plugin")
        folder = (site / "shop_plugin-1.0.dist-info").rename(site / "shop_plugin.egg-info")
        (folder / "METADATA").rename(folder / "PKG-INFO")
        assert [found.name for found in discovery.find()] == ["shop"]


SHOP = Found("shop", "shop:M", "shop-plugin", "1", "")
BLOG = Found("blog", "blog:M", "blog-plugin", "1", "")
TWIN = Found("shop", "twin:M", "twin-plugin", "1", "")


class TestSelect:
    """Which one is served."""

    def test_the_only_one_needs_no_name(self) -> None:
        """Without a name the only plugin is it; with a name the one of that name."""
        assert discovery.select([SHOP], None) == SHOP
        assert discovery.select([BLOG, SHOP], "shop") == SHOP
        assert discovery.select([BLOG, SHOP, TWIN], "blog") == BLOG

    @pytest.mark.parametrize(
        ("plugins", "name", "reason"),
        [
            ([], None, "no plugin is installed; pip install one: .* group modulehost.managers$"),
            ([], "shop", "MODULE_PLUGIN=shop: no such plugin; installed: none$"),
            (
                [BLOG, SHOP],
                None,
                "several plugins are installed; set MODULE_PLUGIN to one of:"
                r" blog \(blog-plugin\), shop \(shop-plugin\)$",
            ),
            (
                [BLOG, SHOP],
                "Shop",
                "MODULE_PLUGIN=Shop: no such plugin; installed:"
                r" blog \(blog-plugin\), shop \(shop-plugin\)$",
            ),
            (
                [SHOP, TWIN],
                "shop",
                "MODULE_PLUGIN=shop: shop-plugin and twin-plugin both have a plugin of this name;"
                " uninstall one$",
            ),
        ],
    )
    def test_otherwise_it_is_told_what_there_is(
        self, plugins: list[Found], name: str | None, reason: str
    ) -> None:
        """None, several, an unknown name, one name twice: the error lists what there is."""
        with pytest.raises(PluginError, match=f"^{reason}"):
            discovery.select(plugins, name)


class TestLoad:
    """What is taken."""

    def test_a_class_is_made_an_instance(self, load: Load) -> None:
        """A manager as a class without arguments; its hooks are called through pluggy."""
        plugin = load()
        metadata: dict[str, Any] = {}
        assert plugin.call("install", ctx="the context", metadata=metadata) is None
        assert metadata == {"install": "the context"}
        assert plugin.call("sleep", ctx=None, metadata={}) is None
        assert (plugin.schema, plugin.permissions, plugin.deadlines) == (None, (), {})
        assert not plugin.has_health

    @pytest.mark.parametrize(
        ("source", "value"),
        [
            (f"class Manager:\n{HOOKS}\nmanager = Manager()", "manager"),
            (
                f"class Outer:\n    class Manager:\n{textwrap.indent(HOOKS, '    ')}",
                "Outer.Manager",
            ),
            (f"class Base:\n{HOOKS}\nclass Manager(Base): pass", "Manager"),
            (textwrap.dedent(HOOKS).replace("self, ", ""), ""),
            (
                "class Manager:\n    def __init__(self):\n        self.x = 1\n    @property\n"
                f"    def broken(self): raise RuntimeError\n{HOOKS}",
                "Manager",
            ),
        ],
        ids=["instance", "nested", "inherited", "module", "with a broken property"],
    )
    def test_any_object_with_hooks_is_a_manager(self, load: Load, source: str, value: str) -> None:
        """An instance, a nested class, inherited hooks, a whole module."""
        metadata: dict[str, Any] = {}
        load(source=source, value=value).call("install", ctx=1, metadata=metadata)
        assert metadata == {"install": 1}

    def test_what_a_manager_declares_is_read(self, load: Load) -> None:
        """Config, permissions, deadlines, and whether there is a health hook."""
        plugin = load(
            f"""
    class config(msgspec.Struct, rename="camel"):
        app_name: str
    permissions = ("workspace",)
    deadlines = {{"install": 1800, "sleep": 0.5}}
    @hookimpl
    def health(self, ctx): return True
{HOOKS}"""
        )
        assert plugin.schema is not None
        assert [item.alias for item in plugin.schema.items] == ["appName"]
        assert plugin.permissions == ("workspace",)
        assert plugin.deadlines == {"install": 1800.0, "sleep": 0.5}
        assert plugin.has_health
        assert plugin.call("health", ctx=None) is True

    def test_hooks_may_leave_out_arguments(self, load: Load) -> None:
        """A hook takes what it needs."""
        body = HOOKS.replace("def sleep(self, ctx, metadata)", "def sleep(self, metadata)")
        body = body.replace("def resume(self, ctx, metadata)", "def resume(self)")
        plugin = load(body)
        for operation in ("sleep", "resume"):
            assert plugin.call(operation, ctx=None, metadata={}) is None

    def test_plugins_do_not_leak_into_one_another(self, load: Load) -> None:
        """Each is registered with a manager of its own."""
        one, other = load(), load()
        metadata: dict[str, Any] = {}
        one.call("install", ctx=1, metadata=metadata)
        assert len(one.manager.get_plugins()) == len(other.manager.get_plugins()) == 1


def without(hook: str) -> str:
    """The hooks but one."""
    return re.sub(rf"    @hookimpl\n    def {hook}\(.*\n", "", HOOKS)


def config(item: str) -> str:
    """A manager's body with one config item."""
    return f"    class config(msgspec.Struct):\n        {item}\n{HOOKS}"


CASES = {
    "no such module": (
        {"value": "nowhere_at_all:Manager"},
        "its entry point names the module nowhere_at_all, which does not exist; check the entry"
        " point in the package's pyproject.toml or setup.cfg",
    ),
    "no such package": (
        {"value": "nowhere_at_all.sub:Manager"},
        "its entry point names the module nowhere_at_all.sub, which does not exist; check the"
        " entry point in the package's pyproject.toml or setup.cfg",
    ),
    "no such object": (
        {"value": "Manger"},
        "its entry point names MODULE:Manger, but MODULE has no Manger",
    ),
    "a missing dependency": (
        {"source": "import nowhere_at_all"},
        "importing MODULE failed: no module named nowhere_at_all (MODULE.py, line 7);"
        " add the package that has it to the dependencies of shop-plugin",
    ),
    "raises on import": (
        {"source": "raise RuntimeError('two\\nlines')"},
        "importing MODULE failed: RuntimeError: two lines (MODULE.py, line 7)",
    ),
    "exits on import": (
        {"source": "raise SystemExit(3)"},
        "importing MODULE failed: SystemExit: 3 (MODULE.py, line 7)",
    ),
    "a syntax error": (
        {"source": "def"},
        "importing MODULE failed: SyntaxError: invalid syntax (MODULE.py, line 7)",
    ),
    "an error without a text": (
        {
            "source": """
            class E(Exception):
                def __str__(self): raise ValueError
            raise E
            """
        },
        "importing MODULE failed: E (MODULE.py, line 10)",
    ),
    "wants arguments": (
        {"body": f"    def __init__(self, url): pass\n{HOOKS}"},
        "MODULE:Manager() failed: TypeError: Manager.__init__() missing 1 required positional"
        " argument: 'url'; the manager is made without arguments",
    ),
    "exits when made": (
        {"body": f"    def __init__(self): raise SystemExit\n{HOOKS}"},
        "MODULE:Manager() failed: SystemExit (MODULE.py, line 8)",
    ),
    "raises a TypeError of its own when made": (
        {"body": f"    def __init__(self): raise TypeError('no number')\n{HOOKS}"},
        "MODULE:Manager() failed: TypeError: no number (MODULE.py, line 8)",
    ),
    "a hook without self": (
        {"body": HOOKS.replace("def sleep(self, ctx, metadata)", "def sleep(ctx, metadata)")},
        "MODULE:Manager: sleep lacks its first argument, self; write def sleep(self, ctx,"
        " metadata)",
    ),
    "a hook without any argument": (
        {"body": HOOKS.replace("def sleep(self, ctx, metadata)", "def sleep()")},
        "MODULE:Manager: sleep lacks its first argument, self; write def sleep(self)",
    ),
    "a hook with its arguments by keyword only": (
        {"body": HOOKS.replace("def sleep(self, ctx, metadata)", "def sleep(*, ctx)")},
        "MODULE:Manager: sleep lacks its first argument, self; write def sleep(self, ctx)",
    ),
    "a default out of bounds": (
        {"body": config("copies: Annotated[int, msgspec.Meta(ge=1, le=3)] = 7")},
        "MODULE:Manager: config item 'copies': its default is not what it takes: an integer of at"
        " least 1 and of at most 3; correct one of them",
    ),
    "a default of another type": (
        {"body": config("copies: int = '3'")},
        "MODULE:Manager: config item 'copies': its default is not what it takes: an integer;"
        " correct one of them",
    ),
    "a default that is no option": (
        {"body": config("size: Literal['small', 'large'] = 'medium'")},
        "MODULE:Manager: config item 'size': its default is not what it takes: one of large,"
        " small; correct one of them",
    ),
    "a regex that Go does not read": (
        {"body": config("name: Annotated[str, msgspec.Meta(pattern='^(?!x)')] = 'a'")},
        "MODULE:Manager: config item 'name': the operator cannot read its regex, for RE2 has no"
        " lookarounds; write it without",
    ),
    "is no plugin": (
        {"source": "Manager = 5"},
        "MODULE:Manager: it is no plugin: it has none of the hooks install, uninstall, sleep,"
        " resume",
    ),
    "is an empty class": (
        {"body": ""},
        "MODULE:Manager: it is no plugin: it has none of the hooks install, uninstall, sleep,"
        " resume",
    ),
    "a missing hook": (
        {"body": without("sleep")},
        "MODULE:Manager: the hook sleep is missing; all of install, uninstall, sleep, resume are"
        " required",
    ),
    "a misspelt hook": (
        {"body": HOOKS + "    @hookimpl\n    def healht(self, ctx): ..."},
        "MODULE:Manager: there is no hook healht; did you mean health?",
    ),
    "an invented hook": (
        {"body": HOOKS + "    @hookimpl\n    def xyz(self, ctx): ..."},
        "MODULE:Manager: there is no hook xyz; the hooks are install, uninstall, sleep, resume,"
        " health",
    ),
    "a forgotten decorator": (
        {"body": HOOKS.replace("@hookimpl\n    def resume", "def resume")},
        "MODULE:Manager: resume has no decorator; put @hookimpl above it",
    ),
    "a forgotten decorator on health": (
        {"body": HOOKS + "    def health(self, ctx): ..."},
        "MODULE:Manager: health has no decorator; put @hookimpl above it",
    ),
    "an async hook": (
        {"body": HOOKS.replace("def sleep", "async def sleep")},
        "MODULE:Manager: sleep is async, which would never run; make it a plain def",
    ),
    "a generator": (
        {"body": HOOKS.replace("def sleep(self, ctx, metadata): ...", "def sleep(self): yield")},
        "MODULE:Manager: sleep is a generator (it has a yield), which would never run; make it a"
        " plain def",
    ),
    "a wrong argument": (
        {"body": HOOKS.replace("def sleep(self, ctx, metadata)", "def sleep(self, ctx, meta)")},
        "MODULE:Manager: sleep has an argument meta; a hook may have ctx, metadata",
    ),
    "metadata for health": (
        {"body": HOOKS + "    @hookimpl\n    def health(self, metadata): ..."},
        "MODULE:Manager: health has an argument metadata; a hook may have ctx",
    ),
    "a default": (
        {"body": HOOKS.replace("def sleep(self, ctx, metadata)", "def sleep(self, ctx=None)")},
        "MODULE:Manager: sleep gives ctx a default, so it is never filled; take it away",
    ),
    "by keyword only": (
        {"body": HOOKS.replace("def sleep(self, ctx, metadata)", "def sleep(self, *, ctx)")},
        "MODULE:Manager: sleep takes ctx by keyword only, so it is never filled; take the * away",
    ),
    "a wrapper": (
        {
            "body": HOOKS.replace(
                "    @hookimpl\n    def sleep(self, ctx, metadata): ...",
                "    @hookimpl(wrapper=True)\n    def sleep(self):\n        return (yield)",
            )
        },
        "MODULE:Manager: sleep is a wrapper; a plugin's hooks are plain functions; sleep is a"
        " generator (it has a yield), which would never run; make it a plain def",
    ),
    "config of another kind": (
        {"body": "    config = {'a': int}\n" + HOOKS},
        "MODULE:Manager: config is not a subclass of msgspec.Struct",
    ),
    "config that is not flat": (
        {"body": f"    class config(msgspec.Struct):\n        ports: dict[str, int]\n{HOOKS}"},
        "MODULE:Manager: config item 'ports' is none of the six types of a Forkspacer config: str,"
        " int, float, bool, Literal or Enum of texts, list of those",
    ),
    "config of unknown types": (
        {"body": f"    class config(msgspec.Struct):\n        ports: Prots\n{HOOKS}"},
        "MODULE:Manager is no plugin: NameError: name 'Prots' is not defined",
    ),
    "a permission as text": (
        {"body": f"    permissions = 'workspace'\n{HOOKS}"},
        "MODULE:Manager: permissions is not a tuple of 'workspace' and 'controller'",
    ),
    "an unknown permission": (
        {"body": f"    permissions = ('workspace', ['admin'])\n{HOOKS}"},
        "MODULE:Manager: permissions is not a tuple of 'workspace' and 'controller'",
    ),
    "a category of no kind": (
        {"body": f"    category = 5\n{HOOKS}"},
        "MODULE:Manager: category is no text",
    ),
    "a usage of no kind": (
        {"body": f"    resource_usage = {{'cpu': 1}}\n{HOOKS}"},
        "MODULE:Manager: resource_usage is not a dict like {'cpu': '10m', 'memory': '64Mi'}",
    ),
    "permissions of no kind": (
        {"body": f"    permissions = 5\n{HOOKS}"},
        "MODULE:Manager: permissions is not a tuple of 'workspace' and 'controller'",
    ),
    **{
        f"deadlines {value}": (
            {"body": f"    deadlines = {value}\n{HOOKS}"},
            "MODULE:Manager: deadlines is not a dict from operation to seconds, like"
            " {'install': 1800}",
        )
        for value in (
            "1800",
            "[1800]",
            "{'install': 0}",
            "{'install': '30m'}",
            "{'instal': 5}",
            "{'install': float('nan')}",
            "{'install': float('inf')}",
            "{'health': 5}",
        )
    },
}


class TestRefusals:
    """What is not taken, and what to do about it."""

    @pytest.mark.parametrize("case", CASES)
    def test_each_mistake_has_its_cure(self, load: Load, case: str) -> None:
        """The error names the package, the object, what is wrong, and what to do."""
        keywords, reason = CASES[case]
        assert problem(load, **keywords) == reason

    def test_all_mistakes_are_told_at_once(self, load: Load) -> None:
        """Somebody who repairs a plugin need not try once for each mistake."""
        body = without("resume").replace("def sleep", "async def sleep")
        reason = problem(load, f"    permissions = 5\n    deadlines = 5\n{body}")
        for words in ("resume is missing", "sleep is async", "permissions", "deadlines"):
            assert words in reason

    def test_the_cause_is_kept_for_the_log(self, load: Load) -> None:
        """What the plugin raised is the error's cause; what the host found has none."""
        with pytest.raises(PluginError) as caught:
            load(source="1 / 0")
        assert isinstance(caught.value.__cause__, ZeroDivisionError)
        with pytest.raises(PluginError) as caught:
            load(value="nowhere_at_all:Manager")
        assert caught.value.__cause__ is None

    @pytest.mark.parametrize(
        "declaration", ["config", "permissions", "deadlines"], ids=lambda name: f"broken {name}"
    )
    def test_a_declaration_that_raises_is_told(self, load: Load, declaration: str) -> None:
        """A property that fails is a mistake of the plugin like any other."""
        body = f"    @property\n    def {declaration}(self): raise RuntimeError('not now')\n{HOOKS}"
        reason = "MODULE:Manager is no plugin: RuntimeError: not now (MODULE.py, line 9)"
        assert problem(load, body) == reason
