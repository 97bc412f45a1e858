# A first, small image: the runner with python3 and node. Built by: docker build -t polyglot-flow-runner .
FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends python3 python3-venv nodejs tini && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/runner
COPY setup.cfg pyproject.toml README.md LICENSE ./
COPY actors actors
COPY runtimes runtimes
RUN python3 -m venv /opt/venv && /opt/venv/bin/pip install --no-cache-dir .
COPY configs configs
RUN useradd --uid 10001 --create-home runner
USER runner
ENV PATH=/opt/venv/bin:$PATH RUNNER_STATE=/tmp/runner
ENTRYPOINT ["tini", "--", "runner"]
CMD ["run", "/opt/runner/configs/hello.yaml"]
