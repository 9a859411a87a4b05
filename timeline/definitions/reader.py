"""YAML to located values, guarded: every value knows its line, and no file can be a bomb."""

from __future__ import annotations

from typing import NoReturn

import msgspec
import yaml

from timeline.errors import DefinitionError

BYTES = 1024 * 1024
"""The longest definition file that is read."""

DEPTH = 20
"""Maps and lists within one another in a definition file."""

NODES = 200_000
"""Values in a definition file, those that aliases repeat counted each time."""

Scalar = str | int | float | bool | None
_Loader: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MERGE = "tag:yaml.org,2002:merge"
_PLAIN = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")


class Located(msgspec.Struct, frozen=True):
    """A value of a YAML file and the line it stands on, counted from 1."""

    value: Scalar | list[Located] | dict[Scalar, Located]
    line: int

    def plain(self) -> object:
        """The value without its lines."""
        if isinstance(self.value, dict):
            return {key: inner.plain() for key, inner in self.value.items()}
        if isinstance(self.value, list):
            return [inner.plain() for inner in self.value]
        return self.value


def read(text: str, file: str) -> Located:
    """The one document of a YAML text. Raises :class:`DefinitionError` with file and line."""
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        place = text.count("\n", 0, error.start) + 1
        raise DefinitionError("a lone surrogate is no character", file=file, line=place) from error
    if size > BYTES:
        raise DefinitionError(f"the file has {size} bytes; definitions are at most {BYTES} bytes", file=file)
    try:
        _check_depth(text, file)
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return Located(None, 1)
            return _Conversion(loader, file).located(node)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = " ".join(part for part in (error.context, error.problem) if part)
        line = None if mark is None else mark.line + 1
        raise DefinitionError(f"not YAML: {problem}", file=file, line=line) from error
    except yaml.YAMLError as error:
        problem = str(error).splitlines()[0]
        raise DefinitionError(f"not YAML: {problem}", file=file, line=_line_of_unprintable(text)) from error


def _line_of_unprintable(text: str) -> int | None:
    found = yaml.reader.Reader.NON_PRINTABLE.search(text)
    return None if found is None else text.count("\n", 0, found.start()) + 1


def _check_depth(text: str, file: str) -> None:
    # events come one by one, so a file that is nested too deep is refused before anything recurses into it
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > DEPTH:
                line = event.start_mark.line + 1 if event.start_mark else None
                raise DefinitionError(f"nested deeper than {DEPTH} levels", file=file, line=line)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


class _Conversion:
    """From the nodes of a YAML document to located values, with the nodes counted."""

    def __init__(self, loader: yaml.SafeLoader, file: str) -> None:
        self._loader = loader
        self._file = file
        self._nodes = 0

    def located(self, node: yaml.Node, depth: int = 0) -> Located:
        self._nodes += 1
        # an alias may stand within what it names, and repeats what it names each time
        if self._nodes > NODES or depth > DEPTH:
            self._refuse(node, "aliases repeat more than a definition file can mean")
        line = node.start_mark.line + 1
        if not isinstance(node, yaml.ScalarNode) and node.tag not in _PLAIN:
            self._refuse(node, f"no tag is known by the name {node.tag!r:.80}")
        if isinstance(node, yaml.MappingNode):
            return Located(self._map(node, depth), line)
        if isinstance(node, yaml.SequenceNode):
            return Located([self.located(inner, depth + 1) for inner in node.value], line)
        return Located(self._scalar(node), line)

    def _map(self, node: yaml.MappingNode, depth: int) -> dict[Scalar, Located]:
        own: dict[Scalar, Located] = {}
        merged: dict[Scalar, Located] = {}
        for key_node, value_node in node.value:
            if key_node.tag == _MERGE:
                for inner in self._merged(value_node, depth):
                    for key, value in inner.items():
                        merged.setdefault(key, value)
                continue
            if not isinstance(key_node, yaml.ScalarNode):
                self._refuse(key_node, "a key is a list or a map")
            key = self._scalar(key_node)
            if key in own:
                self._refuse(key_node, f"the key {key!r} stands here twice")
            # people look for a value where its key is
            own[key] = Located(self.located(value_node, depth + 1).value, key_node.start_mark.line + 1)
        return {**merged, **own}

    def _merged(self, node: yaml.Node, depth: int) -> list[dict[Scalar, Located]]:
        nodes = node.value if isinstance(node, yaml.SequenceNode) else [node]
        maps = []
        for inner in nodes:
            value = self.located(inner, depth + 1).value
            if not isinstance(value, dict):
                self._refuse(inner, "only maps can be merged by <<")
            maps.append(value)
        return maps

    def _scalar(self, node: yaml.Node) -> Scalar:
        kind = node.tag.rpartition(":")[2]
        try:
            value = self._loader.construct_object(node)
        except (ValueError, OverflowError, LookupError, AttributeError):
            # PyYAML trusts that a value fits the tag that it bears, !!bool for instance
            self._refuse(node, f"{node.value!r:.40} cannot be read as {kind}: put it in quotes if it is text")
        if value is None or isinstance(value, (str, int, float)):
            return value
        self._refuse(node, f"{node.value!r:.40} is read as {kind}: put it in quotes if it is text")

    def _refuse(self, node: yaml.Node, message: str) -> NoReturn:
        raise DefinitionError(message, file=self._file, line=node.start_mark.line + 1)
