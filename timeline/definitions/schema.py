"""The schema of a definition file: located values in, compiled definitions out; whatever is not known is refused."""

from __future__ import annotations

import re
import warnings
from collections.abc import Collection, Iterator
from math import isfinite
from typing import Any, NoReturn

from timeline.definitions.definition import Definition, PhaseRule, ResourceRule
from timeline.definitions.paths import Path, compile_path
from timeline.definitions.plugins import MISSING, PLUGINS, Plugin
from timeline.definitions.reader import Located, Scalar
from timeline.definitions.samples import SampleRule
from timeline.definitions.traits import TYPES, Trait, trait_type
from timeline.errors import DefinitionError
from timeline.model import Phase, limits

_FILE = ("events", "samples")
_DEFINITION = (
    "event_type",
    "traits",
    "version",
    "resource",
    "phase",
    "occurred_at",
    "aliases",
    "empty_as_null",
)
_TRAIT = ("fields", "type", "plugin", "volatile", "empty_as_null")
_RESOURCE = ("type", "id", "source", "each")
_PHASE_RULE = ("phase", "when", "is", "not", "occurred_at")
_SAMPLE_RULE = ("meter", "type", "id", "cumulative")

_LONGEST = 500
"""The longest regular expression, in characters: Python's recurses for each group within another."""


class Schema:
    """Compiles the entries of one file; paths that are spelled alike are compiled once."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._paths: dict[str, Path] = {}

    def parts(self, document: Located) -> tuple[Located | None, Located | None]:
        """The list of definitions and the list of sample rules, as far as the file has them.

        Raises :class:`DefinitionError` where it is neither a list of definitions nor a map of these two.
        """
        if not isinstance(document.value, dict):
            return document, None
        for key, value in document.value.items():
            if key not in _FILE:
                expected = f"a file is a list of definitions, or a map of {' and '.join(_FILE)}"
                self._refuse(value, f"{expected}, and not of {key!r}")
        return document.value.get("events"), document.value.get("samples")

    def definitions(self, node: Located) -> Iterator[Definition]:
        """The definitions of a file, in its order. Raises :class:`DefinitionError`."""
        if not isinstance(node.value, list):
            self._refuse(node, "a definition file is a list of definitions, or a map that has it under 'events'")
        for entry in node.value:
            yield self._definition(entry)

    def samples(self, node: Located) -> Iterator[SampleRule]:
        """The sample rules of a file, in its order. Raises :class:`DefinitionError`."""
        if not isinstance(node.value, list) or not node.value:
            self._refuse(node, "samples is a list of sample rules; without the key, those of the shipped file hold")
        for entry in node.value:
            yield self._sample_rule(entry)

    def _definition(self, entry: Located) -> Definition:
        parts = self._map(entry, "a definition", _DEFINITION)
        for required in ("event_type", "traits"):
            if required not in parts:
                self._refuse(entry, f"a definition needs {required!r}")
        included, excluded = self._globs(parts["event_type"], "event_type", "an event type")
        empty_as_null = self._flag(parts, "empty_as_null")
        traits = tuple(self._traits(parts["traits"], empty_as_null=empty_as_null))
        return Definition(
            included=included,
            excluded=excluded,
            line=entry.line,
            version=self._version(parts),
            resource=self._resource(parts["resource"]) if "resource" in parts else None,
            phases=tuple(self._phases(parts["phase"])) if "phase" in parts else (),
            occurred_at=self._path_list(parts["occurred_at"]) if "occurred_at" in parts else (),
            traits=traits,
            aliases=self._aliases(parts["aliases"], traits) if "aliases" in parts else {},
        )

    def _sample_rule(self, entry: Located) -> SampleRule:
        parts = self._map(entry, "a sample rule", _SAMPLE_RULE)
        for required in ("meter", "type"):
            if required not in parts:
                self._refuse(entry, f"a sample rule needs {required!r}")
        included, excluded = self._globs(parts["meter"], "meter", "a meter")
        if not all((*included, *excluded)):
            self._refuse(parts["meter"], "meter has an empty glob, which no meter matches")
        return SampleRule(
            included=included,
            excluded=excluded,
            type=self._type(parts["type"]),
            id=self._expression(parts["id"]) if "id" in parts else None,
            cumulative=self._flag(parts, "cumulative"),
            line=entry.line,
        )

    def _expression(self, node: Located) -> re.Pattern[str]:
        text = self._text(node, "the regular expression of an id")
        if len(text) > _LONGEST:
            self._refuse(node, f"the regular expression {text!r:.60} is longer than {_LONGEST} characters")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # Python warns of what it will read otherwise some day
                expression = re.compile(text)
        except (re.error, OverflowError, RecursionError, Warning) as error:
            self._refuse(node, f"{text!r:.60} is no regular expression: {error}")
        if expression.groups != 1:
            self._refuse(
                node, f"{text!r:.60} has {expression.groups} groups, and one is the id; (?:...) is no group of its own"
            )
        return expression

    def _globs(self, node: Located, key: str, what: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        globs = [self._text(item, what) for item in self._one_or_more(node)]
        if not globs:
            self._refuse(node, f"{key} names no {key.replace('_', ' ')}")
        excluded = tuple(glob[1:] for glob in globs if glob.startswith("!"))
        included = tuple(glob for glob in globs if not glob.startswith("!"))
        return included or ("*",), excluded

    def _version(self, parts: dict[str, Located]) -> int:
        if "version" not in parts:
            return 0
        version = parts["version"].value
        if type(version) is not int or not 0 <= version < 2**31:
            self._refuse(parts["version"], "a version is a whole number from 0 on")
        return version

    def _resource(self, node: Located) -> ResourceRule:
        parts = self._map(node, "a resource", _RESOURCE)
        for required in ("type", "id"):
            if required not in parts:
                self._refuse(node, f"a resource needs {required!r}")
        return ResourceRule(
            type=self._type(parts["type"]),
            id=self._path_list(parts["id"]),
            source=self._path_list(parts["source"]) if "source" in parts else (),
            each=self._path_list(parts["each"]) if "each" in parts else (),
        )

    def _type(self, node: Located) -> str:
        kind = self._text(node, "a resource type")
        if not kind or "/" in kind or len(kind.encode()) > limits.NAME_BYTES:
            self._refuse(node, f"a resource type is 1 to {limits.NAME_BYTES} bytes without a slash")
        return kind

    def _phases(self, node: Located) -> Iterator[PhaseRule]:
        for item in self._one_or_more(node):
            if not isinstance(item.value, dict):
                yield PhaseRule(phase=self._phase(item))
                continue
            parts = self._map(item, "a phase rule", _PHASE_RULE)
            if "phase" not in parts:
                self._refuse(item, "a phase rule needs 'phase'")
            if ("is" in parts or "not" in parts) and "when" not in parts:
                self._refuse(item, "'is' and 'not' compare what the path in 'when' finds, which is missing")
            if "is" in parts and "not" in parts:
                self._refuse(item, "a phase rule has 'is' or 'not', never both")
            values = parts.get("is", parts.get("not"))
            yield PhaseRule(
                phase=self._phase(parts["phase"]),
                when=self._path(parts["when"]) if "when" in parts else None,
                values=None if values is None else tuple(self._scalar(value) for value in self._one_or_more(values)),
                negated="not" in parts,
                occurred_at=self._path_list(parts["occurred_at"]) if "occurred_at" in parts else (),
            )

    def _phase(self, node: Located) -> Phase:
        name = self._text(node, "a phase")
        names = [phase.name.lower() for phase in Phase]
        if name not in names:
            self._refuse(node, f"no phase is named {name!r}; there are {', '.join(names)}")
        return Phase[name.upper()]

    def _aliases(self, node: Located, traits: tuple[Trait, ...]) -> dict[str, str]:
        names = {trait.name for trait in traits}
        aliases = {}
        for name, target in self._map(node, "aliases", None).items():
            if name not in names:
                self._refuse(target, f"the alias {name!r} is of no trait of this definition")
            aliases[name] = self._text(target, "the field that an alias stands for")
        return aliases

    def _traits(self, node: Located, *, empty_as_null: bool) -> Iterator[Trait]:
        for name, spec in self._map(node, "traits", None).items():
            if not isinstance(spec.value, dict):
                yield self._trait(name, spec.line, {"fields": spec}, empty_as_null=empty_as_null)
                continue
            parts = self._map(spec, f"the trait {name!r}", _TRAIT)
            if "fields" not in parts and "plugin" not in parts:
                self._refuse(spec, f"the trait {name!r} needs 'fields'")
            yield self._trait(name, spec.line, parts, empty_as_null=empty_as_null)

    def _trait(self, name: str, line: int, parts: dict[str, Located], *, empty_as_null: bool) -> Trait:
        empty_as_null = self._flag(parts, "empty_as_null", default=empty_as_null)
        kind = "text"
        if "type" in parts:
            kind = self._text(parts["type"], "a trait type")
            if kind not in TYPES:
                self._refuse(parts["type"], f"no trait type is named {kind!r}; there are {', '.join(TYPES)}")
        plugin_name, plugin = self._plugin(parts["plugin"]) if "plugin" in parts else (None, None)
        fields = parts.get("fields")
        constant = MISSING
        if fields is not None and isinstance(fields.value, (int, float)) and not isinstance(fields.value, bool):
            constant = fields.value
            if not isfinite(constant):
                self._refuse(fields, "a constant is a finite number")
            fields = None
        return Trait(
            name=name,
            paths=() if fields is None else self._path_list(fields),
            constant=constant,
            kind=trait_type(kind, empty_as_null=empty_as_null),
            plugin=plugin,
            plugin_name=plugin_name,
            volatile=self._flag(parts, "volatile"),
            line=line,
        )

    def _plugin(self, node: Located) -> tuple[str, Plugin]:
        parameters: dict[str, Any] = {}
        if isinstance(node.value, dict):
            parts = self._map(node, "a plugin", ("name", "parameters"))
            if "name" not in parts:
                self._refuse(node, "a plugin needs a name")
            name = self._text(parts["name"], "the name of a plugin")
            if "parameters" in parts and parts["parameters"].value is not None:
                given = self._map(parts["parameters"], "the parameters of a plugin", None)
                parameters = {key: value.plain() for key, value in given.items()}
        else:
            name = self._text(node, "a plugin")
        if name not in PLUGINS:
            self._refuse(node, f"no plugin is named {name!r}; there are {', '.join(PLUGINS)}")
        try:
            return name, PLUGINS[name](**parameters)
        except (TypeError, ValueError) as error:
            reason = str(error).replace(f"{PLUGINS[name].__name__}()", "it")
            self._refuse(node, f"the plugin {name!r} cannot be made with these parameters: {reason}")

    def _path_list(self, node: Located) -> tuple[Path, ...]:
        items = self._one_or_more(node)
        if not items:
            self._refuse(node, "a path is expected, and the list is empty")
        return tuple(self._path(item) for item in items)

    def _path(self, node: Located) -> Path:
        text = self._text(node, "a path")
        if text not in self._paths:
            self._paths[text] = compile_path(text, file=self._file, line=node.line)
        return self._paths[text]

    def _one_or_more(self, node: Located) -> list[Located]:
        return node.value if isinstance(node.value, list) else [node]

    def _map(self, node: Located, what: str, known: Collection[str] | None) -> dict[str, Located]:
        if not isinstance(node.value, dict):
            self._refuse(node, f"{what} is a map, not {node.plain()!r:.40}")
        parts: dict[str, Located] = {}
        for key, value in node.value.items():
            if not isinstance(key, str):
                self._refuse(value, f"a key of {what} is a text, not {key!r}")
            if known is not None and key not in known:
                self._refuse(value, f"{what} has no key {key!r}; there are {', '.join(known)}")
            parts[key] = value
        return parts

    def _text(self, node: Located, what: str) -> str:
        if not isinstance(node.value, str):
            self._refuse(node, f"{what} is a text, not {node.plain()!r:.40}")
        return node.value

    def _scalar(self, node: Located) -> Scalar:
        if isinstance(node.value, (list, dict)):
            self._refuse(node, "a list or a map cannot be compared")
        return node.value

    def _flag(self, parts: dict[str, Located], key: str, *, default: bool = False) -> bool:
        if key not in parts:
            return default
        value = parts[key].value
        if not isinstance(value, bool):
            self._refuse(parts[key], f"{key} is true or false")
        return value

    def _refuse(self, node: Located, message: str) -> NoReturn:
        raise DefinitionError(message, file=self._file, line=node.line)
