# The whole runner: every runtime of runtimes/, their compilers' caches warm, uid 10001, nothing written outside /var/lib/runner and /tmp.
# Built and tested by scripts/container; docs/container.md says how to use it.
ARG BASE=docker.io/library/debian:bookworm-slim

# What apt has to install, from the runtimes' own manifests: a new runtime needs no change here.
FROM ${BASE} AS manifests
COPY runtimes /runtimes
RUN sed -n 's/^install: apt-get install //p' /runtimes/*/runtime.yaml | tr ' ' '\n' | sort -u > /packages

FROM ${BASE} AS toolchains
COPY --from=manifests /packages /packages
RUN apt-get update -q \
    && apt-get install -y -q --no-install-recommends ca-certificates tini npm $(cat /packages) \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --uid 10001 --home-dir /var/lib/runner --create-home --shell /usr/sbin/nologin runner
ENV PATH=/opt/venv/bin:$PATH HOME=/var/lib/runner LANG=C.UTF-8 PYTHONDONTWRITEBYTECODE=1 GOTOOLCHAIN=local \
    RUNNER_STATE=/var/lib/runner/state RUNNER_CACHE=/var/lib/runner/cache npm_config_cache=/var/lib/runner/cache/tools/npm

FROM toolchains AS build
RUN apt-get update -q && apt-get install -y -q --no-install-recommends python3-venv python3-dev gcc && rm -rf /var/lib/apt/lists/*
ARG PIP_CERT
WORKDIR /opt/source
COPY setup.cfg setup.py pyproject.toml README.md LICENSE ./
COPY actors actors
COPY runtimes runtimes
COPY catalogue catalogue
RUN python3 -m venv /opt/venv && /opt/venv/bin/pip install -q --no-cache-dir . && /opt/venv/bin/python -m compileall -q /opt/venv
COPY scripts/image/warm /opt/warm
USER runner
RUN /opt/warm

FROM toolchains
COPY --from=build /opt/venv /opt/venv
COPY --from=build --chown=runner /var/lib/runner/cache /opt/runner/cache
COPY configs /opt/runner/configs
COPY scripts/image/entry /opt/runner/entry
USER runner
WORKDIR /var/lib/runner
VOLUME /var/lib/runner
HEALTHCHECK --interval=10s --timeout=10s --start-period=120s --retries=3 CMD ["runner", "flows", "--json"]
ENTRYPOINT ["tini", "--", "/opt/runner/entry"]
CMD ["up", "/deployment/deployment.yaml"]
