"""Turns a parsed expression into nested functions.

Each kind of node the language has is one method of `Compiler`; a kind without a method is refused, so whatever Python's
grammar gains is refused as well. The compiled functions take a `Run`, charge it, and return a JSON value.
"""

from __future__ import annotations

import ast
from collections.abc import Callable

from flowscope.errors import BudgetExceeded, ExpressionSyntaxError
from flowscope.expressions import catalogue, operators
from flowscope.expressions.evaluation import (
    Link,
    Loop,
    bound,
    calling,
    iterate,
    look_up,
    object_key,
    read_chain,
    sliced,
    with_defaults,
)
from flowscope.expressions.grammar import OPTIONAL_SUBSCRIPT, Parsed
from flowscope.expressions.run import Argument, Code, Lambda, Run
from flowscope.expressions.scope import nearest
from flowscope.expressions.values import JSON

_NAMES_OF_KINDS: dict[type[ast.AST], str] = {
    ast.Starred: "Spreading with *",
    ast.Set: "A set",
    ast.SetComp: "A set",
    ast.Tuple: "A tuple",
    ast.GeneratorExp: "A comprehension without [ ]",
    ast.Lambda: "A function outside the arguments of a call",
}


class Compiler:
    """Compiles one expression; afterwards `names`, `secrets` and `slots` tell what it uses.

    With `alternative`, a hyphenated name that is missing asks for the expression's other reading.
    """

    def __init__(self, parsed: Parsed, depth: int, *, alternative: bool) -> None:
        self.names: set[str] = set()
        self.secrets: set[str] = set()
        self.slots = 0
        self._parsed = parsed
        self._limit = depth
        self._alternative = alternative
        self._level = 0
        self._locals: dict[str, int] = {}

    def compile(self) -> Code:
        """The whole expression."""
        return self._code(self._parsed.tree)

    def _code(self, node: ast.expr) -> Code:
        method = _METHODS.get(type(node))
        if method is None:
            label = _NAMES_OF_KINDS.get(type(node), f"{type(node).__name__} syntax")
            raise self._refusal(f"{label} is not part of the language", node)
        self._level += 1
        if self._level > self._limit:
            raise BudgetExceeded("The expression is nested too deeply", source=self._parsed.source)
        code = method(self, node)
        self._level -= 1
        return code

    def _refusal(self, message: str, node: ast.expr) -> ExpressionSyntaxError:
        return ExpressionSyntaxError(message, source=self._parsed.source, offset=self._offset(node))

    def _offset(self, node: ast.expr) -> int:
        return self._parsed.offset(node.col_offset)

    # Values

    def _constant(self, node: ast.Constant) -> Code:
        value = node.value
        if not (value is None or type(value) in {bool, int, float}):
            raise self._refusal("This value is not part of the language", node)
        return lambda run: value  # type: ignore[return-value]

    def _name(self, node: ast.Name) -> Code:
        token = self._parsed.placeholder(node.id).token
        value = token.value
        if token.kind == "text":
            return lambda run: value
        return self._chain(node)

    def _list(self, node: ast.List) -> Code:
        codes = [self._code(element) for element in node.elts]

        def build(run: Run) -> JSON:
            run.elements(len(codes))
            run.spend(len(codes))
            return [code(run) for code in codes]

        return build

    def _dict(self, node: ast.Dict) -> Code:
        pairs = [(self._key(key, node), self._code(value)) for key, value in zip(node.keys, node.values, strict=True)]

        def build(run: Run) -> JSON:
            run.entries(len(pairs))
            run.spend(len(pairs))
            return {object_key(run, key): code(run) for key, code in pairs}

        return build

    def _key(self, key: ast.expr | None, node: ast.Dict) -> Code:
        if key is None:
            raise self._refusal("Spreading with ** is not part of the language; use merge()", node)
        if isinstance(key, ast.Name):
            # As in JavaScript, a bare name before the colon is the key itself.
            value = self._parsed.placeholder(key.id).token.value
            return lambda run: value
        if isinstance(key, ast.List) and len(key.elts) == 1:
            return self._code(key.elts[0])
        return self._code(key)

    # Names and keys

    def _chain(self, node: ast.expr) -> Code:
        """A value and the keys read from it: `a.b[c]?.d`."""
        links: list[Link] = []
        base = node
        optional = False
        while isinstance(base, ast.Attribute | ast.Subscript):
            if isinstance(base, ast.Attribute):
                link = self._attribute_link(base)
                optional = link is None
                if link is not None:
                    links.append(link)
            elif isinstance(base.slice, ast.Slice):
                break
            else:
                marker = base.value
                optional = isinstance(marker, ast.Attribute) and self._attribute_link(marker) is None
                links.append(self._subscript_link(base, optional))
            base = base.value
        links.reverse()
        return self._chained(base, tuple(links))

    def _attribute_link(self, node: ast.Attribute) -> Link | None:
        placeholder = self._parsed.placeholder(node.attr)
        token = placeholder.token
        if token.value == OPTIONAL_SUBSCRIPT.value:
            return None
        return Link(token.value, None, placeholder.optional, token.hyphenated, token.offset)

    def _subscript_link(self, node: ast.Subscript, optional: bool) -> Link:
        offset = self._offset(node.slice)
        index = node.slice
        if isinstance(index, ast.Name):
            token = self._parsed.placeholder(index.id).token
            if token.kind == "text":
                return Link(token.value, None, optional, False, offset)
        return Link("", self._code(index), optional, False, offset)

    def _chained(self, base: ast.expr, links: tuple[Link, ...]) -> Code:
        root = self._root(base, links)
        signals = self._alternative and any(link.hyphenated for link in links)
        if not links:
            return root

        return read_chain(root, links, signals)

    def _root(self, base: ast.expr, links: tuple[Link, ...]) -> Code:
        if not isinstance(base, ast.Name):
            return self._slice(base) if isinstance(base, ast.Subscript) else self._code(base)
        token = self._parsed.placeholder(base.id).token
        name = token.value
        if token.kind == "text":
            return lambda run: name
        if not name:
            raise self._refusal("A $ stands before a name", base)
        if name in self._locals:
            slot = self._locals[name]
            return lambda run: run.slots[slot]
        self.names.add(name)
        if name in ("secrets", "credentials"):
            fixed = bool(links) and links[0].code is None
            key = str(links[0].key) if fixed else "*"
            self.secrets.add(key if name == "secrets" else f"credentials.{key}")
        return look_up(name, token.offset, token.hyphenated and self._alternative)

    def _slice(self, node: ast.Subscript) -> Code:
        assert isinstance(node.slice, ast.Slice)
        base = self._code(node.value)
        bounds = node.slice
        parts = [self._code(part) if part else None for part in (bounds.lower, bounds.upper, bounds.step)]
        offset = self._offset(node)

        def cut(run: Run) -> JSON:
            value = base(run)
            indexes = [bound(part(run)) if part else None for part in parts]
            run.at = offset
            return sliced(run, value, slice(*indexes))

        return cut

    # Operators

    def _binary(self, node: ast.BinOp) -> Code:
        # A chain such as a + b + c leans to the left; taken as a list it does not count as depth.
        steps: list[tuple[operators.Operator | None, Code, int]] = []
        left: ast.expr = node
        while isinstance(left, ast.BinOp):
            operator = operators.BINARY.get(type(left.op))
            if operator is None and not isinstance(left.op, ast.BitOr):
                raise self._refusal("This operator is not part of the language", left)
            steps.append((operator, self._code(left.right), self._offset(left.right)))
            left = left.left
        first = self._code(left)
        steps.reverse()
        if any(operator is None for operator, _, _ in steps):
            return with_defaults(first, steps)

        def work(run: Run) -> JSON:
            value = first(run)
            for operator, code, offset in steps:
                run.spend()
                other = code(run)
                run.at = offset
                value = operator(run, value, other)  # type: ignore[misc]
            return value

        return work

    def _unary(self, node: ast.UnaryOp) -> Code:
        operand = self._code(node.operand)
        if isinstance(node.op, ast.Not | ast.Invert):
            return lambda run: not operand(run)
        sign = operators.negative if isinstance(node.op, ast.USub) else operators.positive
        return lambda run: sign(run, operand(run))

    def _compare(self, node: ast.Compare) -> Code:
        first = self._code(node.left)
        steps: list[tuple[operators.Operator, Code, int]] = []
        for symbol, right in zip(node.ops, node.comparators, strict=True):
            operator = operators.COMPARISONS.get(type(symbol))
            if operator is None:
                raise self._refusal('"is" is not part of the language; write ==', right)
            steps.append((operator, self._code(right), self._offset(right)))

        def compare(run: Run) -> JSON:
            left = first(run)
            for operator, code, offset in steps:
                run.spend()
                right = code(run)
                run.at = offset
                if not operator(run, left, right):
                    return False
                left = right
            return True

        return compare

    def _boolean(self, node: ast.BoolOp) -> Code:
        codes = [self._code(value) for value in node.values]
        stops_at = isinstance(node.op, ast.Or)

        def decide(run: Run) -> JSON:
            value: JSON = None
            for code in codes:
                run.spend()
                value = code(run)
                if bool(value) is stops_at:
                    break
            return value

        return decide

    def _conditional(self, node: ast.IfExp) -> Code:
        test, then, otherwise = self._code(node.test), self._code(node.body), self._code(node.orelse)

        def choose(run: Run) -> JSON:
            run.spend()
            return then(run) if test(run) else otherwise(run)

        return choose

    # Calls and comprehensions

    def _call(self, node: ast.Call) -> Code:
        if node.keywords:
            raise self._refusal("Arguments have no names here", node)
        if isinstance(node.func, ast.Attribute):
            placeholder = self._parsed.placeholder(node.func.attr)
            receiver, optional = [node.func.value], placeholder.optional
        elif isinstance(node.func, ast.Name):
            placeholder = self._parsed.placeholder(node.func.id)
            receiver, optional = [], False
        else:
            raise self._refusal("Only functions from the list of functions can be called", node)
        token = placeholder.token
        if token.kind == "text" or token.value in self._locals:
            raise self._refusal("Only functions from the list of functions can be called", node)
        arguments = receiver + node.args
        if token.value == "default" and len(arguments) == 2:
            return with_defaults(self._code(arguments[0]), [(None, self._code(arguments[1]), token.offset)])
        overloads = self._overloads(token.value, node)
        codes = [self._argument(argument) for argument in arguments]
        return calling(token.value, overloads, codes, token.offset, optional)

    def _overloads(self, name: str, node: ast.Call) -> catalogue.Overloads:
        overloads = catalogue.overloads_of(name)
        if overloads is None:
            suggestion = nearest(name, catalogue.function_names())
            hint = f". Did you mean {suggestion}()?" if suggestion else ""
            raise self._refusal(f'There is no function "{name[:64]}"{hint}', node)
        return overloads

    def _argument(self, node: ast.expr) -> Callable[[Run], Argument]:
        if isinstance(node, ast.GeneratorExp):
            return self._code(ast.ListComp(node.elt, node.generators, col_offset=node.col_offset))
        return self._lambda(node) if isinstance(node, ast.Lambda) else self._code(node)

    def _lambda(self, node: ast.Lambda) -> Callable[[Run], Argument]:
        given = node.args
        plain = given.args
        if len(plain) != sum(1 for _ in ast.iter_child_nodes(given)):
            raise self._refusal("A function here takes plain names", node)
        outer = dict(self._locals)
        slots = tuple(self._declare(argument.arg) for argument in plain)
        body = self._code(node.body)
        self._locals = outer
        return lambda run: Lambda(run, slots, body)

    def _declare(self, placeholder: str) -> int:
        token = self._parsed.placeholder(placeholder).token
        slot = self.slots
        self.slots += 1
        self._locals[token.value] = slot
        return slot

    def _list_comprehension(self, node: ast.ListComp) -> Code:
        outer = dict(self._locals)
        loops = [self._loop(generator) for generator in node.generators]
        element = self._code(node.elt)
        self._locals = outer

        def collect(run: Run) -> JSON:
            found: list[JSON] = []
            for _ in iterate(run, loops, 0):
                run.elements(1)
                found.append(element(run))
            return found

        return collect

    def _dict_comprehension(self, node: ast.DictComp) -> Code:
        outer = dict(self._locals)
        loops = [self._loop(generator) for generator in node.generators]
        key, value = self._code(node.key), self._code(node.value)
        self._locals = outer

        def collect(run: Run) -> JSON:
            found: dict[str, JSON] = {}
            for _ in iterate(run, loops, 0):
                run.entries(1)
                found[object_key(run, key)] = value(run)
            return found

        return collect

    def _loop(self, node: ast.comprehension) -> Loop:
        if node.is_async:
            raise self._refusal("async is not part of the language", node.iter)
        source = self._code(node.iter)
        targets = node.target.elts if isinstance(node.target, ast.Tuple) else [node.target]
        slots: list[int] = []
        for target in targets:
            if not isinstance(target, ast.Name) or self._parsed.placeholder(target.id).token.kind != "name":
                raise self._refusal("After for stands a name", node.iter)
            slots.append(self._declare(target.id))
        unpack = isinstance(node.target, ast.Tuple)
        return Loop(source, tuple(slots), unpack, [self._code(test) for test in node.ifs], self._offset(node.iter))


_METHODS: dict[type[ast.expr], Callable[..., Code]] = {
    ast.Constant: Compiler._constant,
    ast.Name: Compiler._name,
    ast.List: Compiler._list,
    ast.Dict: Compiler._dict,
    ast.Attribute: Compiler._chain,
    ast.Subscript: Compiler._chain,
    ast.BinOp: Compiler._binary,
    ast.UnaryOp: Compiler._unary,
    ast.Compare: Compiler._compare,
    ast.BoolOp: Compiler._boolean,
    ast.IfExp: Compiler._conditional,
    ast.Call: Compiler._call,
    ast.ListComp: Compiler._list_comprehension,
    ast.DictComp: Compiler._dict_comprehension,
}
