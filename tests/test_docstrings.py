"""Every example in a docstring runs and prints what it says; every public name opens its docstring with one."""

import doctest
import importlib
import pkgutil
import warnings

import numpy as np
import pytest
import torch

import vizkit
from vizkit.regularization import Kind

MODULES = [vizkit] + [
    importlib.import_module(info.name)
    for info in pkgutil.walk_packages(vizkit.__path__, "vizkit.")
    if not info.name.endswith("__main__")
]
PUBLIC = {name: getattr(vizkit, name) for name in dir(vizkit)}


def examples():
    """Of modules, functions, classes and methods, and of the regularizers, which are objects."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    for module in MODULES:
        yield from (test for test in finder.find(module) if test.examples)
        for name, value in vars(module).items():
            if isinstance(value, Kind) and value.function.__module__ == module.__name__:
                yield doctest.DocTestParser().get_doctest(value.__doc__, {}, f"{module.__name__}.{name}", None, 0)


@pytest.mark.parametrize("example", list(examples()), ids=lambda example: example.name.removeprefix("vizkit."))
def test_an_example_prints_what_it_says(example, net, tmp_path, monkeypatch):
    """An example has `net`, the built-in CNN, `folder`, where it may save a file, and every module by its last name."""
    monkeypatch.setattr(vizkit.regularizers, "_known", vizkit.regularizers.catalogue())
    example.globs = {module.__name__.rpartition(".")[2]: module for module in MODULES}
    example.globs |= {"vizkit": vizkit, "torch": torch, "np": np, "net": net, "folder": tmp_path}
    report = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        runner.run(example, out=report.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(report)


@pytest.mark.parametrize("name", [n for n, v in PUBLIC.items() if isinstance(v, Kind) or callable(v)])
def test_a_public_name_opens_its_docstring_with_an_example(name):
    value = PUBLIC[name]
    if isinstance(value, type) and issubclass(value, Exception):
        assert value.__doc__  # an error has no example, only what it means
    else:
        assert value.__doc__.strip().startswith(">>>")
