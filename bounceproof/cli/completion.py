# SPDX-License-Identifier: GPL-2.0-only
"""``bounceproof completion``."""

from __future__ import annotations

import click

from bounceproof.cli.complete import SHELLS
from bounceproof.cli.help import LISTS, ending
from bounceproof.cli.streams import say


@click.command(epilog=ending(LISTS, "bounceproof completion bash"))
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> int:
    """Print what makes a shell complete commands, options, kernels and devices.

    \b
    bash:  bounceproof completion bash >> ~/.bashrc
    zsh:   bounceproof completion zsh >> ~/.zshrc
    fish:  bounceproof completion fish > ~/.config/fish/completions/bounceproof.fish
    """
    from click.shell_completion import get_completion_class

    from bounceproof.cli.main import COMPLETE, PROGRAM, bounceproof

    made = get_completion_class(shell)
    assert made is not None
    say(made(bounceproof, {}, PROGRAM, COMPLETE).source().strip())
    return 0
