# Read by all five programs: where things are, and how they fail.
set -eu

root=${SHARDS_DIR:-${TMPDIR:-/tmp}/modulehost-shell}

# Prints the reason, which must be the last line on stderr, and ends the program.
fail() {
    echo "$1" >&2
    exit 1
}

# The name that install has noted. It came over the network and ends in a path: look at it.
installed() {
    name=${MODULE_METADATA_installed-}
    case $name in
        '' | -* | *[!-a-z0-9]*) fail "installed, in the metadata, names no folder: install the module first" ;;
    esac
    data=$root/$name
    archive=$data.tar
}
