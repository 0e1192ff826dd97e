# The host's image. With --build-arg PLUGIN=..., a module's: the host and one plugin.
# Built with podman it takes --format docker, or HEALTHCHECK is lost. See docs/images.md.
ARG BASE=python:3.15-slim

# The first process, and all of the host that is there while it sleeps: a C program without any
# library. The compiler is a package of the index, since a base with Python seldom has one.
FROM ${BASE} AS listener
WORKDIR /build
COPY constraints.txt host/native/modulehost-listen.c ./
RUN python -m venv zig \
 && zig/bin/pip install --no-cache-dir --constraint constraints.txt ziglang \
 && zig/bin/python -m ziglang cc -target "$(uname -m)-linux-musl" -std=c11 -D_GNU_SOURCE \
    -Werror -Wall -Wextra -Os -static -s -o modulehost-listen modulehost-listen.c

# The host and what it needs, as wheels, at the versions that the tests ran with.
FROM ${BASE} AS wheels
WORKDIR /build
COPY constraints.txt LICENSE pyproject.toml README.md setup.cfg ./
COPY host host
RUN pip wheel --no-cache-dir --constraint constraints.txt --wheel-dir /wheels . pip

# The virtual environment. Its pip.conf holds the host's packages at their versions, so that a
# plugin that needs others fails to install instead of changing what the host stands on. pip comes
# first: the script that the base's may make for a command imports re, half as long again a start.
# Which versions these are /wheels says, where there is one of each.
FROM ${BASE} AS environment
COPY --from=wheels /wheels /wheels
WORKDIR /opt/modulehost
# hadolint ignore=DL3013
RUN python -m venv --without-pip . \
 && pip --python bin/python install --no-cache-dir --no-index --find-links /wheels --no-compile pip \
 && bin/pip install --no-cache-dir --no-index --find-links /wheels modulehost \
 && bin/pip list --format freeze --exclude pip > constraints.txt \
 && printf '%s\n' '[global]' 'disable-pip-version-check = true' 'no-cache-dir = true' \
    '[install]' "constraint = $PWD/constraints.txt" > pip.conf

# The wheel of the plugin, where PLUGIN is a folder of plugins/ and no name for the package index.
FROM environment AS plugin
ARG PLUGIN=""
COPY plugins plugins
RUN mkdir /plugin \
 && if [ -n "$PLUGIN" ] && [ -d "plugins/$PLUGIN" ]; then \
        bin/pip wheel --no-deps --wheel-dir /plugin "./plugins/$PLUGIN"; \
    fi

# The host. Python's own library is compiled too: the official image leaves that to the first
# import, and where the file system is read-only to every one. glibc keeps freed memory in a cache
# for each thread, which would grow by a MiB in the first thousands of calls: it is of no use here.
FROM ${BASE} AS host
ENV GLIBC_TUNABLES=glibc.malloc.tcache_count=0 \
    HOME=/tmp \
    PATH=/opt/modulehost/bin:$PATH \
    PORT=8080 \
    PYTHONDONTWRITEBYTECODE=1
RUN echo 'modulehost:x:65532:65532:modulehost:/tmp:/bin/sh' >> /etc/passwd \
 && echo 'modulehost:x:65532:' >> /etc/group \
 && python -m compileall -q -x '/(test|idlelib|ensurepip|(site|dist)-packages)/' \
    "$(python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')"
COPY --from=environment --chown=65532:65532 /opt/modulehost /opt/modulehost
COPY --from=listener --chown=65532:65532 /build/modulehost-listen /opt/modulehost/bin/
USER 65532:65532
EXPOSE 8080
HEALTHCHECK --interval=3m --timeout=15s CMD ["modulehost", "call", "health", "--unless-asleep"]
# It listens, then becomes the host; asleep, the host becomes it again. See docs/design.md.
ENTRYPOINT ["modulehost-listen", "modulehost", "serve"]
ARG BASE
ARG REVISION=""
ARG VERSION=""
LABEL org.opencontainers.image.title="modulehost" \
      org.opencontainers.image.description="The host for custom modules of Forkspacer" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.base.name="$BASE"

# With a plugin, if there is to be one. One that does not load ends the build.
FROM host AS module
ARG PLUGIN=""
# hadolint ignore=DL3013
RUN --mount=type=bind,from=plugin,source=/plugin,target=/tmp/plugin \
    if [ -n "$PLUGIN" ]; then \
        set -- /tmp/plugin/*.whl && { [ -e "$1" ] || set -- "$PLUGIN"; } \
        && pip install --no-cache-dir "$@" \
        && modulehost plugins; \
    fi

# --target sbom --output DIR: what is in it, as DIR/sbom.cdx.json
FROM module AS inventory
RUN --mount=type=bind,source=deploy/sbom.py,target=/tmp/sbom.py python /tmp/sbom.py > /tmp/sbom.json

FROM scratch AS sbom
COPY --from=inventory /tmp/sbom.json /sbom.cdx.json

FROM module
