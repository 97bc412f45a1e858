"""The part of setup.cfg that it cannot say: a piece of C, left out where no compiler is (docs/decisions/009)."""

from setuptools import Extension, setup

setup(
    ext_modules=[
        Extension(
            "runtimes.python3._copying",
            ["runtimes/python3/copying.c"],
            extra_compile_args=["-O2"],
            optional=True,
        )
    ]
)
