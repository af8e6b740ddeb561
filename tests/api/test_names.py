"""What the four packages make public: one list each, loaded on first use, seen by type checkers."""

from __future__ import annotations

import ast
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("agent", "audits", "constraints", "selfnas")
HEAVY = ("torch", "z3", "pandas", "numpy", "matplotlib", "mlflow", "captum", "pytorch_lightning", "sklearn", "pydantic")


@pytest.mark.parametrize("name", PACKAGES)
def test_importing_a_package_loads_nothing_heavy(name: str) -> None:
    """`import agent` and the others leave PyTorch, Z3, pandas and the like for whoever uses a name."""
    check = f"import sys, {name}; print([one for one in {HEAVY!r} if one in sys.modules])"
    done = subprocess.run([sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", PACKAGES)
def test_public_names_load(name: str) -> None:
    """`__all__` has each once, `dir` gives the same, and each name is there. Its order is the linter's to hold."""
    package = importlib.import_module(name)
    assert dir(package) == sorted(package.__all__)
    for public in package.__all__:
        assert getattr(package, public) is not None


@pytest.mark.parametrize("name", PACKAGES)
def test_type_checkers_see_the_same_objects(name: str) -> None:
    """The imports for type checkers name each public name, from the module that it is loaded from."""
    package = importlib.import_module(name)
    tree = ast.parse((ROOT / name / "__init__.py").read_text(encoding="utf-8"))
    [block] = [node for node in tree.body if isinstance(node, ast.If)]
    imported = {
        alias.name: node.module for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert sorted(imported) == sorted(package.__all__)
    for public, module in imported.items():
        assert getattr(importlib.import_module(str(module)), public) is getattr(package, public)


@pytest.mark.parametrize("name", PACKAGES)
def test_public_names_are_documented(name: str) -> None:
    """Each class and function has a docstring of its own."""
    package = importlib.import_module(name)
    for public in package.__all__:
        found = getattr(package, public)
        if inspect.isclass(found) or inspect.isroutine(found):
            assert found.__doc__, public
            assert not found.__doc__.startswith(f"{public}("), f"{public}: the docstring that dataclass made"


@pytest.mark.parametrize("name", PACKAGES)
def test_an_unknown_name_is_an_attribute_error(name: str) -> None:
    """As of any module, with package and name in the message."""
    package = importlib.import_module(name)
    with pytest.raises(AttributeError, match=f"module '{name}' has no attribute 'nothing'"):
        package.nothing  # noqa: B018 - the look-up is what is tested
