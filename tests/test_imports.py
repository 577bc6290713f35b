"""Modules import downwards only, and what must answer at once imports nothing heavy."""

import ast
import json
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import isthmus

ROOT = Path(isthmus.__file__).parent
HEAVY = ("torch", "numpy", "sklearn", "scipy", "safetensors", "pandas", "matplotlib", "pyarrow", "PIL", "rich")

# From the bottom to the top. A module imports from layers below its own, or from within its own ``name.*``.
LAYERS = (
    "errors",
    "legal",
    "params",
    "hyperparameters",
    "records",
    "batches",
    "colours",
    "pictures",
    "pages.*",
    "files",
    "tensorfiles",
    "ports",
    "tables.*",
    "parts.*",
    "recipe",
    "devices",
    "allocator",
    "memory",
    "datasets.*",
    "sources.*",
    "ranks",
    "provenance",
    "columns",
    "scaling",
    "module",
    "rows",
    "codec",
    "callbacks",
    "metrics.*",
    "summary",
    "validation",
    "weighting",
    "engines.*",
    "divergence",
    "state",
    "optimizers",
    "training",
    "reference",
    "persistence",
    "saving",
    "exporting.*",
    "checkpoints",
    "learner",
    "estimator",
    "linear",
    "principal",
    "pretraining",
    "variants",
    "concrete",
    "evidence",
    "variational",
    "loading",
    "keras.*",
    "ray.*",
    "health.*",
    "selection.*",
    "serving.*",
    "plots.*",
    "report.*",
    "explorer.*",
    "cli.*",
    "__main__",
)


def sources():
    """Map the names of modules, without the package's own, to their files; ``""`` is the package."""
    files = {}
    for file in ROOT.rglob("*.py"):
        parts = file.relative_to(ROOT).with_suffix("").parts
        files[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return files


SOURCES = sources()


def layer_of(module):
    """Give the place of a module in `LAYERS`; the package itself, which holds only lazy names, is below all."""
    package = module.partition(".")[0]
    fitting = [place for place, layer in enumerate(LAYERS) if layer in (module, f"{package}.*")]
    return fitting[0] if fitting else -1


def only_for_types(node):
    """Whether a statement is ``if TYPE_CHECKING:``."""
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def statements(node):
    """Yield all nodes, those within functions too, but not what is imported for types only."""
    for child in ast.iter_child_nodes(node):
        for kept in child.orelse if only_for_types(child) else [child]:
            yield kept
            yield from statements(kept)


def imported(module, tree):
    """Yield the modules of this package that a module imports."""
    package = module if SOURCES.get(module, ROOT).name == "__init__.py" else module.rpartition(".")[0]
    for node in statements(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = f"isthmus.{package}".rstrip(".").split(".")
            start = ".".join([*above[: len(above) - node.level + 1], *filter(None, [node.module])])
            names = [f"{start if node.level else node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "import_module":
            names = [node.args[0].value] if isinstance(node.args[0], ast.Constant) else []
        else:
            continue
        for name in names:
            if name.split(".")[0] == "isthmus":
                inner = name.removeprefix("isthmus").lstrip(".")
                yield inner if inner in SOURCES else inner.rpartition(".")[0]


GRAPH = {module: {*imported(module, ast.parse(file.read_text()))} - {module} for module, file in SOURCES.items()}


@pytest.mark.parametrize(
    ("module", "text", "found"),
    [
        ("estimator", "from isthmus import metrics", ["metrics"]),
        ("estimator", "from isthmus import __version__", [""]),
        ("estimator", "from isthmus.errors import DataError, require", ["errors", "errors"]),
        ("estimator", "import isthmus.parts.layers", ["parts.layers"]),
        ("parts.networks", "from . import layers", ["parts.layers"]),
        ("parts.networks", "from ..errors import DataError", ["errors"]),
        ("parts", "from .networks import Dense", ["parts.networks"]),
        ("summary", "def f():\n    from isthmus import loading", ["loading"]),
        ("summary", "import importlib\nimportlib.import_module('isthmus.loading')", ["loading"]),
        ("summary", "if TYPE_CHECKING:\n    from isthmus import loading\nelse:\n    import isthmus.params", ["params"]),
        ("summary", "import torch\nfrom sklearn.base import clone", []),
    ],
)
def test_imports_are_read_as_python_reads_them(module, text, found):
    assert list(imported(module, ast.parse(text))) == found


@pytest.mark.parametrize("module", sorted(SOURCES))
def test_a_module_imports_from_below_only(module):
    assert module == "" or layer_of(module) >= 0, f"{module} has no place in LAYERS"
    group = module.partition(".")[0]
    upward = [
        other
        for other in GRAPH[module]
        if layer_of(other) >= layer_of(module) and (other.partition(".")[0] != group or other == module)
    ]
    assert upward == []


def test_no_module_imports_itself_by_a_detour():
    assert list(TopologicalSorter(GRAPH).static_order())


@pytest.mark.parametrize("module", ["isthmus", "isthmus.errors", "isthmus.params", "isthmus.hyperparameters"])
def test_what_must_answer_at_once_imports_nothing_heavy(module):
    program = f"import {module}, json, sys; print(json.dumps(sorted(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert [name for name in json.loads(answer.stdout) if name in HEAVY] == []


@pytest.mark.parametrize("model", ["DenseAutoencoder", "ConvolutionalAutoencoder", "VariationalAutoencoder"])
def test_a_fit_and_a_load_need_no_compiler_and_no_classifier(model, tmp_path):
    """They take long to import; a first step and a first answer do not wait for them."""
    program = f"""
import json, sys, numpy, isthmus
X = numpy.random.RandomState(0).rand(40, 8, 8).astype("float32")
isthmus.{model}(max_epochs=2, random_state=0).fit(X).save({str(tmp_path / "model.safetensors")!r})
isthmus.load({str(tmp_path / "model.safetensors")!r}).reconstruct(X)
print(json.dumps(sorted(sys.modules)))
"""
    command = [sys.executable, "-W", "ignore", "-c", program]
    answer = subprocess.run(command, check=True, capture_output=True, text=True)
    modules = json.loads(answer.stdout)
    assert "torch" in modules
    assert [name for name in ("torch._dynamo", "sympy", "numba", "sklearn.linear_model") if name in modules] == []


def test_every_public_name_is_there():
    for name in [*isthmus.__all__, "datasets", "health", "metrics", "parts", "plots", "report", "selection"]:
        assert name in dir(isthmus)
        assert getattr(isthmus, name).__name__.rpartition(".")[2] == name
    with pytest.raises(AttributeError, match="quantum"):
        _ = isthmus.quantum
