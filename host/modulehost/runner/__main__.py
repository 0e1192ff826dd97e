"""``python -m modulehost.runner CALLS CONTROL LOG PARENT``: only the front starts it."""

from modulehost.shared.late import put_off_imports

put_off_imports(True)

from modulehost.runner.loop import main  # noqa: E402 - see above

main()
