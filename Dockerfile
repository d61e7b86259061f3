# The job as an image:  docker build --build-arg REVISION="$(git rev-parse HEAD)" -t draft-cleanup:1.0.0 .
# Pin the base by its digest as well (…-slim-bookworm@sha256:…) where builds must be repeatable to the byte.
ARG PYTHON_IMAGE=docker.io/library/python:3.11.14-slim-bookworm

# ---- build: dependencies, each held against the hash in requirements.txt, and bytecode
FROM ${PYTHON_IMAGE} AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore \
    PYTHONDONTWRITEBYTECODE=1

WORKDIR /app
COPY requirements.txt ./
# Wheels only: nothing that was downloaded is run while it is being installed.
RUN python -m pip install --require-hashes --only-binary=:all: --no-compile \
        --target /app/site-packages --requirement requirements.txt \
    && rm -rf requirements.txt site-packages/bin

COPY job.py ./
COPY cleanup ./cleanup
# The root file system may be read-only, so bytecode is written now; a source is told by its hash, not by a
# time stamp that copying may change.
RUN python -m compileall -q -j 0 --invalidation-mode unchecked-hash /app

# ---- the image: Python, the job and its dependencies; no pip, no shell scripts, no tests, no simulator
FROM ${PYTHON_IMAGE}

ARG VERSION=1.0.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="atoms-draft-cleanup" \
      org.opencontainers.image.description="Discards listed drafts of Smallest AI Atoms voice agents" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="MIT"

# The base's pip is not needed here, and what is not there need not be patched.
RUN python -m pip uninstall --yes --quiet --root-user-action=ignore pip setuptools wheel

COPY --from=build /app /app

# UNBUFFERED: a log line leaves the process when it is written. C.UTF-8: names in lists are UTF-8 everywhere.
ENV LANG=C.UTF-8 \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONPATH=/app/site-packages

# A number, so that `runAsNonRoot` can be checked without looking into the image.
USER 65532:65532
# Paths on the command line are relative to this.
WORKDIR /data

# Exec form: the job itself is PID 1, so SIGTERM reaches it.
ENTRYPOINT ["python", "/app/job.py"]
CMD ["--help"]
