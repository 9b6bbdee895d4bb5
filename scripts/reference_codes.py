"""The codes that the packages' sources spell out: enumerations, refusals of deliveries, rules of table parsers.

Read from the syntax trees, since an enumeration at run time has lost the strings that stand under its members.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("hydra_assets", "hydra_agent", "hydra_exec", "hydra_console")


@dataclass(frozen=True, slots=True)
class Code:
    """One member of an enumeration."""

    value: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Enumeration:
    """A StrEnum as its source has it: members with the strings that stand under them."""

    name: str
    module: str
    meaning: str
    codes: tuple[Code, ...]


def enumerations(root: Path = ROOT) -> Iterator[Enumeration]:
    """Every StrEnum of the packages, by module and place; from the source, where the members' docstrings are."""
    for package in PACKAGES:
        for file in sorted((root / package).rglob("*.py")):
            module = ".".join(file.relative_to(root).with_suffix("").parts)
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                bases = [ast.unparse(base) for base in node.bases] if isinstance(node, ast.ClassDef) else []
                if isinstance(node, ast.ClassDef) and "StrEnum" in bases:
                    yield Enumeration(node.name, module, ast.get_docstring(node) or "", tuple(_codes(node)))


def enumeration(file: str, name: str) -> Enumeration:
    """One enumeration of a file."""
    module = file.removesuffix(".py").replace("/", ".")
    return next(e for e in enumerations() if e.module == module and e.name == name)


def _codes(node: ast.ClassDef) -> Iterator[Code]:
    for statement, after in zip(node.body, [*node.body[1:], None], strict=True):
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant):
            documented = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
            yield Code(str(statement.value.value), str(after.value.value) if documented else "")  # type: ignore[union-attr]


def refusals() -> dict[str, set[str]]:
    """Codes with which a source refuses a whole delivery, with the modules that say so."""
    found: dict[str, set[str]] = {}
    for module, tree in _sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in {"ParseError", "SourceError"} and node.args:
                reason = node.args[0]
                if isinstance(reason, ast.Constant):
                    found.setdefault(str(reason.value), set()).add(module)
                elif isinstance(reason, ast.JoinedStr):
                    found.setdefault(ast.unparse(reason)[2:-1], set()).add(module)
    return found


def row_reasons() -> dict[str, set[str]]:
    """Codes of the table parsers' rules, which are tuples: a condition, at times a disposition, then the code."""
    found: dict[str, set[str]] = {}
    for module, tree in _sources():
        for node in ast.walk(tree) if module.startswith(("csv_", "cme_settlement")) else ():
            if isinstance(node, ast.Tuple) and len(node.elts) > 1 and not isinstance(node.elts[0], ast.Constant):
                code = node.elts[1] if len(node.elts) == 2 else node.elts[2]
                if (
                    isinstance(code, ast.Constant)
                    and isinstance(code.value, str)
                    and re.fullmatch(r"[a-z_]+", code.value)
                ):
                    found.setdefault(code.value, set()).add(module)
    return found


def _sources() -> Iterator[tuple[str, ast.Module]]:
    root = ROOT / "hydra_assets" / "sources"
    for file in sorted(root.rglob("*.py")):
        yield ".".join(file.relative_to(root).with_suffix("").parts), ast.parse(file.read_text(encoding="utf-8"))
