"""What an author's package is to the host: how it is found, its hooks, config and context.

Process: the runner's, and those of the command line.
Threads: ``output of`` each stream of a program that a hook runs.
Reads: the metadata of installed packages, ``config.json``, what a program writes.
Writes: a program's input, and the file that its output goes to.
Dies when: its process does.
"""
