"""Builds bnviz with what a checkout has beside the package: the app, its pages, its settings and its results."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
BESIDE = ("app.py", "pages/*.py", ".streamlit/config.toml", "docs/results.json")  # for bnviz.experiment.package


class WithTheApp(build_py):
    """Puts them into the package."""

    def run(self) -> None:
        super().run()
        for pattern in BESIDE:
            for file in ROOT.glob(pattern):
                built = Path(self.build_lib, "bnviz", "installed", file.relative_to(ROOT))
                built.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, built)


setup(cmdclass={"build_py": WithTheApp})
