"""The child process that imports the plugin and runs its hooks: ``python -m modulehost.runner``."""
