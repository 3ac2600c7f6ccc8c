# SPDX-License-Identifier: GPL-2.0-only
"""``python -m bounceproof``, and the installed command.

An interrupt ends the process at once from here on, while modules are imported too.
"""

import signal


def run() -> None:
    """Run the command line and leave with its exit code."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from bounceproof.cli.main import main

    main()


if __name__ == "__main__":
    run()
