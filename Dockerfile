# The job as an image:  docker build --build-arg REVISION="$(git rev-parse HEAD)" -t draft-cleanup:2.0.0 .
# If builds have to be repeatable to the byte, pin the base by its digest as well (…-slim-bookworm@sha256:…).
ARG PYTHON_IMAGE=docker.io/library/python:3.11.14-slim-bookworm

# ---- build: dependencies, each checked against its hash in requirements.txt, and bytecode
FROM ${PYTHON_IMAGE} AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore \
    PYTHONDONTWRITEBYTECODE=1

WORKDIR /app
COPY requirements.txt ./
# Wheels only: installing one runs none of the code that was downloaded.
RUN python -m pip install --require-hashes --only-binary=:all: --no-compile \
        --target /app/site-packages --requirement requirements.txt \
    && rm -rf requirements.txt site-packages/bin

COPY job.py ./
COPY cleanup ./cleanup
# The root file system may be read-only, so bytecode is written now. unchecked-hash: Python uses it without comparing
# it with its source, whose time stamp may have changed with the copying.
RUN python -m compileall -q -j 0 --invalidation-mode unchecked-hash /app

# ---- the image: Python, the job and its dependencies; no pip, no tests, no simulator
FROM ${PYTHON_IMAGE}

ARG VERSION=2.0.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="atoms-draft-cleanup" \
      org.opencontainers.image.description="Discards listed drafts of Smallest AI Atoms voice agents" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="MIT"

# pip is of no use here, and what is not there need not be patched.
RUN python -m pip uninstall --yes --quiet --root-user-action=ignore pip setuptools wheel

COPY --from=build /app /app

# UNBUFFERED: a log line leaves the process as soon as it is written. C.UTF-8: names are read and written as UTF-8.
ENV LANG=C.UTF-8 \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONPATH=/app/site-packages

# A number, not a name: otherwise Kubernetes could not check `runAsNonRoot`.
USER 65532:65532
# Relative paths on the command line start here.
WORKDIR /data

# Exec form, without a shell: the job itself is PID 1, so SIGTERM reaches it.
ENTRYPOINT ["python", "/app/job.py"]
CMD ["--help"]
