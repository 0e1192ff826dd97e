"""The Forkspacer operator on one's own machine: what ``modulehost local`` does.

``reading``, ``schema`` and ``documents`` make Modules of files as kubectl and the API server do,
``admission`` and ``rules`` look at them as the operator does, and ``words`` has what it says.
``state`` is a Module, ``store`` keeps them, ``pod`` is the host of one, ``life`` takes it through
its phases. Only the command line imports this.
"""
