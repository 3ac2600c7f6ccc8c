# SPDX-License-Identifier: GPL-2.0-only
"""From tree-sitter's nodes to the syntax tree of one function."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tree_sitter import Node as Syntax

from bounceproof.models.words.word import INT, LONG, U32, U64, CType, Word
from bounceproof.source.cparse import syntax as c
from bounceproof.source.cparse.condition import parse_integer
from bounceproof.source.cparse.declare import (
    base_type,
    declarator,
    descriptor_type,
    text_of,
)

_CASTABLE = {"-": "-", "+": "+", "*": "*", "&": "&"}
_ESCAPES = {"n": 10, "t": 9, "0": 0, "\\": 92, "'": 39, '"': 34, "r": 13}


def integer_word(text: str) -> Word:
    """A C integer constant with the type C gives it; ValueError if it is none."""
    body = text.rstrip("uUlL")
    suffix = text[len(body) :].lower()
    value = parse_integer(text)
    decimal = body.isdigit() and (body == "0" or body[0] != "0")
    candidates: list[CType] = []
    if "l" not in suffix:
        candidates += [INT] if "u" not in suffix else []
        candidates += [U32] if "u" in suffix or not decimal else []
    candidates += [LONG] if "u" not in suffix else []
    candidates += [U64]
    for ctype in candidates:
        if value < 1 << (ctype.bits - ctype.signed):
            return Word(value, ctype)
    raise ValueError(f"constant {text} is too large")


class Converter:
    """Converts expressions and statements of one file."""

    def __init__(self, typedefs: Mapping[str, c.Type]) -> None:
        self._typedefs = typedefs
        self._scopes: list[dict[str, str]] = []
        self._count = 0

    def function(self, node: Syntax, file: str) -> c.Function:
        """Convert a function_definition."""
        kind = node.child_by_field_name("type")
        base = base_type(kind, self._typedefs) if kind else c.NamedType("")
        shape = node.child_by_field_name("declarator")
        result = base
        while shape is not None and shape.type == "pointer_declarator":
            result = c.PointerType(result)
            shape = shape.child_by_field_name("declarator")
        name, _ = declarator(shape, base)
        self._scopes = [{}]
        parameters = self._parameters(shape)
        body = node.child_by_field_name("body")
        block = self.block(body) if body else c.Block(node.start_point[0] + 1, [])
        static = any(text_of(child) == "static" for child in node.children)
        line = node.start_point[0] + 1
        return c.Function(name, file, line, result, parameters, block, static)

    def _parameters(self, shape: Syntax | None) -> list[tuple[str, str, c.Type]]:
        found: list[tuple[str, str, c.Type]] = []
        listed = shape.child_by_field_name("parameters") if shape else None
        for child in listed.named_children if listed else []:
            kind = child.child_by_field_name("type")
            if child.type != "parameter_declaration" or kind is None:
                continue
            name, ctype = declarator(
                child.child_by_field_name("declarator"),
                base_type(kind, self._typedefs),
            )
            if isinstance(ctype, c.ArrayType):
                ctype = c.PointerType(ctype.of)
            if name:
                found.append((self._bind(name), name, ctype))
        return found

    def _bind(self, name: str) -> str:
        self._count += 1
        renamed = f"{name}#{self._count}"
        self._scopes[-1][name] = renamed
        return renamed

    def _lookup(self, name: str) -> str | None:
        for scope in reversed(self._scopes):
            if name in scope:
                return scope[name]
        return None

    # Statements.

    def block(self, node: Syntax) -> c.Block:
        """Convert a compound_statement."""
        self._scopes.append({})
        block = c.Block(node.start_point[0] + 1, [])
        for child in node.named_children:
            self._append(child, block)
        self._scopes.pop()
        return block

    def _append(self, node: Syntax, block: c.Block) -> None:
        if node.type == "labeled_statement":
            label = node.child_by_field_name("label")
            block.labels[text_of(label) if label else ""] = len(block.body)
            for child in node.named_children[1:]:
                self._append(child, block)
            return
        if node.type == "declaration":
            block.body += self._declaration(node)
            return
        if node.type != "comment":
            block.body.append(self.statement(node))

    def _declaration(self, node: Syntax) -> list[c.Statement]:
        kind = node.child_by_field_name("type")
        line = node.start_point[0] + 1
        if kind is None or node.has_error:
            return [_unknown(node, "a declaration the parser accepts")]
        if any(text_of(child) == "static" for child in node.children):
            return [_unknown(node, "a variable that is not static")]
        out: list[c.Statement] = []
        auto = text_of(kind) == "__auto_type"
        base = base_type(kind, self._typedefs)
        if kind.type == "macro_type_specifier" or text_of(kind).startswith("typeof"):
            return [_unknown(node, "a type with a name")]
        for child in node.children_by_field_name("declarator"):
            value = None
            shape = child
            if child.type == "init_declarator":
                initial = child.child_by_field_name("value")
                shape = child.child_by_field_name("declarator") or child
                value = self.expr(initial) if initial else None
            name, ctype = declarator(shape, base)
            if isinstance(ctype, c.FunctionType):
                continue
            line = child.start_point[0] + 1
            out.append(c.Declare(line, self._bind(name), ctype, value, auto))
        return out

    def statement(self, node: Syntax) -> c.Statement:
        """Convert one statement."""
        method = _STATEMENTS.get(node.type)
        if method is None:
            return _unknown(node, f"a statement other than {node.type}")
        return method(self, node)

    def _expression_statement(self, node: Syntax) -> c.Statement:
        if not node.named_children:
            return c.Empty(node.start_point[0] + 1)
        return c.ExprStatement(
            node.start_point[0] + 1, self.expr(node.named_children[0])
        )

    def _compound(self, node: Syntax) -> c.Statement:
        return self.block(node)

    def _if(self, node: Syntax) -> c.Statement:
        condition = node.child_by_field_name("condition")
        then = node.child_by_field_name("consequence")
        other = node.child_by_field_name("alternative")
        if other is not None and other.type == "else_clause":
            other = other.named_children[0] if other.named_children else None
        if condition is None or then is None:
            return _unknown(node, "an if with condition and statement")
        return c.If(
            node.start_point[0] + 1,
            self.expr(condition),
            self._body(then),
            self._body(other) if other is not None else None,
        )

    def _body(self, node: Syntax) -> c.Statement:
        if node.type == "compound_statement":
            return self.block(node)
        block = c.Block(node.start_point[0] + 1, [])
        self._append(node, block)
        return block

    def _for(self, node: Syntax) -> c.Statement:
        self._scopes.append({})
        first = node.child_by_field_name("initializer")
        init: c.Statement | None = None
        line = node.start_point[0] + 1
        if first is not None and first.type == "declaration":
            init = c.Block(line, self._declaration(first))
        elif first is not None:
            init = c.ExprStatement(line, self.expr(first))
        condition = node.child_by_field_name("condition")
        step = node.child_by_field_name("update")
        body = node.child_by_field_name("body")
        loop = c.Loop(
            line,
            "for",
            init,
            self.expr(condition) if condition else None,
            self.expr(step) if step else None,
            self._body(body) if body else c.Empty(line),
        )
        self._scopes.pop()
        return loop

    def _while(self, node: Syntax) -> c.Statement:
        condition = node.child_by_field_name("condition")
        body = node.child_by_field_name("body")
        if condition is None or body is None:
            return _unknown(node, "a loop with condition and body")
        kind = "do" if node.type == "do_statement" else "while"
        block = self._body(body)
        line = node.start_point[0] + 1
        return c.Loop(line, kind, None, self.expr(condition), None, block)

    def _switch(self, node: Syntax) -> c.Statement:
        condition = node.child_by_field_name("condition")
        body = node.child_by_field_name("body")
        if condition is None or body is None:
            return _unknown(node, "a switch with value and body")
        line = node.start_point[0] + 1
        block = c.Block(line, [])
        cases: list[tuple[c.Expr | None, int]] = []
        self._scopes.append({})
        for child in body.named_children:
            if child.type != "case_statement":
                self._append(child, block)
                continue
            value = child.child_by_field_name("value")
            cases.append((self.expr(value) if value else None, len(block.body)))
            for inner in child.named_children:
                if value is None or inner.id != value.id:
                    self._append(inner, block)
        self._scopes.pop()
        return c.Switch(line, self.expr(condition), cases, block)

    def _return(self, node: Syntax) -> c.Statement:
        value = node.named_children[0] if node.named_children else None
        line = node.start_point[0] + 1
        return c.Return(line, self.expr(value) if value else None)

    def _goto(self, node: Syntax) -> c.Statement:
        label = node.child_by_field_name("label")
        return c.Goto(node.start_point[0] + 1, text_of(label) if label else "")

    def _break(self, node: Syntax) -> c.Statement:
        return c.Break(node.start_point[0] + 1)

    def _continue(self, node: Syntax) -> c.Statement:
        return c.Continue(node.start_point[0] + 1)

    # Expressions.

    def expr(self, node: Syntax) -> c.Expr:
        """Convert one expression."""
        method = _EXPRESSIONS.get(node.type)
        if method is None:
            return _unknown(node, f"an expression other than {node.type}")
        return method(self, node)

    def _number(self, node: Syntax) -> c.Expr:
        text = text_of(node)
        line = node.start_point[0] + 1
        try:
            if text[0] in "+-":
                word = c.Number(line, integer_word(text[1:].strip()))
                return c.Unary(line, text[0], word)
            return c.Number(line, integer_word(text))
        except ValueError:
            return _unknown(node, "an integer constant")

    def _char(self, node: Syntax) -> c.Expr:
        spelt = text_of(node)
        text = spelt[1:-1]
        code = _ESCAPES.get(text[1:]) if text[:1] == "\\" else None
        if len(text) == 1 and text.isascii():
            code = ord(text)
        if code is None or not spelt.startswith("'"):
            return _unknown(node, "a plain character constant")
        return c.Number(node.start_point[0] + 1, Word(code, INT))

    def _string(self, node: Syntax) -> c.Expr:
        return c.Text(node.start_point[0] + 1, text_of(node))

    def _name(self, node: Syntax) -> c.Expr:
        text = text_of(node)
        local = self._lookup(text)
        return c.Name(node.start_point[0] + 1, local or text, local is not None)

    def _keyword(self, node: Syntax) -> c.Expr:
        values = {"true": 1, "false": 0, "NULL": 0, "nullptr": 0}
        line = node.start_point[0] + 1
        if node.type == "null":
            zero = c.Number(line, Word(0, INT))
            return c.Cast(line, c.PointerType(c.VoidType()), zero)
        return c.Number(line, Word(values[node.type], INT))

    def _parenthesized(self, node: Syntax) -> c.Expr:
        inner = [n for n in node.named_children if n.type != "comment"]
        if len(inner) != 1:
            return _unknown(node, "one expression in parentheses")
        if inner[0].type == "compound_statement":
            return c.StatementExpr(node.start_point[0] + 1, self.block(inner[0]))
        return self.expr(inner[0])

    def _unary(self, node: Syntax) -> c.Expr:
        operator = node.child_by_field_name("operator")
        operand = node.child_by_field_name("argument")
        if operator is None or operand is None:
            return _unknown(node, "an operator and its operand")
        return c.Unary(node.start_point[0] + 1, text_of(operator), self.expr(operand))

    def _update(self, node: Syntax) -> c.Expr:
        operator = node.child_by_field_name("operator")
        target = node.child_by_field_name("argument")
        if operator is None or target is None:
            return _unknown(node, "an operator and its operand")
        prefix = operator.start_byte < target.start_byte
        line = node.start_point[0] + 1
        return c.Update(line, text_of(operator)[0], prefix, self.expr(target))

    def _type_name(self, node: Syntax) -> c.Type | None:
        """The type in ``(name)`` where the parser took it for an expression."""
        if node.type != "parenthesized_expression" or len(node.named_children) != 1:
            return None
        inner = node.named_children[0]
        if inner.type != "identifier" or self._lookup(text_of(inner)):
            return None
        return self._typedefs.get(text_of(inner))

    def _binary(self, node: Syntax) -> c.Expr:
        left = node.child_by_field_name("left")
        right = node.child_by_field_name("right")
        operator = node.child_by_field_name("operator")
        if left is None or right is None or operator is None:
            return _unknown(node, "two operands")
        if self._type_name(left) is not None:
            return _unknown(node, "a cast the parser takes for one")
        line = node.start_point[0] + 1
        marked = any(text_of(n) == "/*times*/" for n in node.children)
        op = "*" if marked else text_of(operator)
        return c.Binary(line, op, self.expr(left), self.expr(right))

    def _assign(self, node: Syntax) -> c.Expr:
        left = node.child_by_field_name("left")
        right = node.child_by_field_name("right")
        operator = node.child_by_field_name("operator")
        if left is None or right is None or operator is None:
            return _unknown(node, "an assignment")
        op = text_of(operator)[:-1]
        line = node.start_point[0] + 1
        return c.Assign(line, op, self.expr(left), self.expr(right))

    def _conditional(self, node: Syntax) -> c.Expr:
        condition = node.child_by_field_name("condition")
        then = node.child_by_field_name("consequence")
        other = node.child_by_field_name("alternative")
        if condition is None or other is None:
            return _unknown(node, "a condition and an alternative")
        return c.Conditional(
            node.start_point[0] + 1,
            self.expr(condition),
            self.expr(then) if then else None,
            self.expr(other),
        )

    def _call(self, node: Syntax) -> c.Expr:
        function = node.child_by_field_name("function")
        listed = node.child_by_field_name("arguments")
        if function is None or listed is None:
            return _unknown(node, "a call")
        line = node.start_point[0] + 1
        arguments = [n for n in listed.named_children if n.type != "comment"]
        cast = self._type_name(function)
        if cast is not None and len(arguments) == 1:
            return c.Cast(line, cast, self.expr(arguments[0]))
        if any(n.type == "ERROR" for n in listed.children):
            return _unknown(node, "arguments the parser accepts")
        return c.Call(line, self.expr(function), [self.expr(n) for n in arguments])

    def _subscript(self, node: Syntax) -> c.Expr:
        base = node.child_by_field_name("argument")
        index = node.child_by_field_name("index")
        if base is None or index is None:
            return _unknown(node, "an array and an index")
        return c.Index(node.start_point[0] + 1, self.expr(base), self.expr(index))

    def _field(self, node: Syntax) -> c.Expr:
        base = node.child_by_field_name("argument")
        name = node.child_by_field_name("field")
        operator = node.child_by_field_name("operator")
        if base is None or name is None:
            return _unknown(node, "a struct and a field")
        arrow = operator is not None and text_of(operator) == "->"
        line = node.start_point[0] + 1
        return c.Member(line, self.expr(base), text_of(name), arrow)

    def _cast(self, node: Syntax) -> c.Expr:
        kind = node.child_by_field_name("type")
        value = node.child_by_field_name("value")
        if kind is None or value is None:
            return _unknown(node, "a cast")
        if _could_be_product(kind) or self._lookup(text_of(kind)):
            return _unknown(node, "a cast to a type that is known")
        target = descriptor_type(kind, self._typedefs)
        return c.Cast(node.start_point[0] + 1, target, self.expr(value))

    def _sizeof(self, node: Syntax) -> c.Expr:
        kind = node.child_by_field_name("type")
        value = node.child_by_field_name("value")
        line = node.start_point[0] + 1
        if kind is not None:
            return c.SizeOf(line, descriptor_type(kind, self._typedefs), None)
        if value is None:
            return _unknown(node, "a type or an expression")
        return c.SizeOf(line, self._type_name(value), self.expr(value))

    def _comma(self, node: Syntax) -> c.Expr:
        left = node.child_by_field_name("left")
        right = node.child_by_field_name("right")
        if left is None or right is None:
            return _unknown(node, "two expressions")
        return c.Comma(node.start_point[0] + 1, self.expr(left), self.expr(right))

    def _type_argument(self, node: Syntax) -> c.Expr:
        line = node.start_point[0] + 1
        return c.TypeArgument(line, descriptor_type(node, self._typedefs))

    def initializer(self, node: Syntax) -> c.Expr:
        """Convert an initializer_list."""
        items: list[tuple[str | None, c.Expr]] = []
        for child in node.named_children:
            if child.type == "initializer_pair":
                named = child.child_by_field_name("designator")
                value = child.child_by_field_name("value")
                if value is not None and named is not None:
                    items.append((text_of(named).lstrip("."), self.expr(value)))
            elif child.type != "comment":
                items.append((None, self.expr(child)))
        return c.Initializer(node.start_point[0] + 1, items)


def _could_be_product(kind: Syntax) -> bool:
    """Whether ``(a * (b))`` may have been read as a type."""
    base = kind.child_by_field_name("type")
    if base is None or base.type != "type_identifier":
        return False
    shape = kind.child_by_field_name("declarator")
    while shape is not None:
        if shape.type != "abstract_pointer_declarator":
            return True
        shape = shape.child_by_field_name("declarator")
    return False


def _unknown(node: Syntax, need: str) -> c.Unknown:
    return c.Unknown(node.start_point[0] + 1, text_of(node)[:200], need)


_STATEMENTS: dict[str, Callable[[Converter, Syntax], c.Statement]] = {
    "expression_statement": Converter._expression_statement,
    "compound_statement": Converter._compound,
    "if_statement": Converter._if,
    "for_statement": Converter._for,
    "while_statement": Converter._while,
    "do_statement": Converter._while,
    "switch_statement": Converter._switch,
    "return_statement": Converter._return,
    "goto_statement": Converter._goto,
    "break_statement": Converter._break,
    "continue_statement": Converter._continue,
}
_EXPRESSIONS: dict[str, Callable[[Converter, Syntax], c.Expr]] = {
    "number_literal": Converter._number,
    "char_literal": Converter._char,
    "string_literal": Converter._string,
    "concatenated_string": Converter._string,
    "identifier": Converter._name,
    "true": Converter._keyword,
    "false": Converter._keyword,
    "null": Converter._keyword,
    "parenthesized_expression": Converter._parenthesized,
    "unary_expression": Converter._unary,
    "pointer_expression": Converter._unary,
    "update_expression": Converter._update,
    "binary_expression": Converter._binary,
    "assignment_expression": Converter._assign,
    "conditional_expression": Converter._conditional,
    "call_expression": Converter._call,
    "subscript_expression": Converter._subscript,
    "field_expression": Converter._field,
    "cast_expression": Converter._cast,
    "sizeof_expression": Converter._sizeof,
    "comma_expression": Converter._comma,
    "type_descriptor": Converter._type_argument,
    "initializer_list": Converter.initializer,
}
