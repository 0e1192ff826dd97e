"""What the tests share: real hosts, plugins installed for one test, processes looked at."""
