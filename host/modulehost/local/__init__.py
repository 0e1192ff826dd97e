"""The Forkspacer operator on one's own machine: what ``modulehost local`` does.

``reading`` and ``documents`` make Modules of files, ``items`` is what their config takes, and
``rules`` looks at it as the operator does; ``store`` keeps the Modules, ``pod`` is the host of one,
``life`` takes it through its phases. Only the command line imports this.
"""
