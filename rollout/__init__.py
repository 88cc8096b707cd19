"""Rolling updates for Compose services on a plain Docker engine.

The way through the house, each step one package, imports only from left to right:

    cli ─▶ compose, controller, views      the commands; `cli/wiring.py` joins the parts
    compose                                a Compose file → a Stack
    controller ─▶ ledger, decide, engine   observe → decide → act → observe
    ledger                                 what was asked for: revisions, marks, the lease
    decide                                 the decision: pure, no clock, no I/O
    engine                                 where tasks run: docker, simulated
    views                                  what a person sees
    model ─▶ errors                        the words all of them use

Nothing is imported here, so that `rollout --help` stays quick.
"""

from __future__ import annotations


def __getattr__(name: str) -> str:
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415  lazy: 35 ms

        return version("rollout")
    raise AttributeError(name)
