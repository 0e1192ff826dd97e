"""``python -m modulehost.runner CALLS CONTROL LOG PARENT``: only the front starts it."""

from modulehost.runner.loop import main

main()
