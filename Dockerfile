# One image for every role: api, worker, signer and the one-shot `holdfast` commands differ only in their command.
ARG PYTHON_IMAGE=python:3.11.15-slim-bookworm
ARG POSTGRES_IMAGE=postgres:16.15-bookworm

# pg_dump must not be older than the server, and a dump of a newer one restores with errors: Debian's client is
# neither, so take the client of the server's own image.
FROM ${POSTGRES_IMAGE} AS pgclient
RUN mkdir -p /out/bin /out/lib \
    && cp /usr/lib/postgresql/16/bin/pg_dump /usr/lib/postgresql/16/bin/pg_restore /usr/lib/postgresql/16/bin/psql /out/bin/ \
    && cp -a /usr/lib/*-linux-gnu/libpq.so.5* /out/lib/

FROM ${PYTHON_IMAGE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PATH=/opt/venv/bin:$PATH
RUN python -m venv /opt/venv
WORKDIR /app
# Dependencies first: this layer changes only with the lock. Hashes and wheels only, so nothing is compiled or swapped.
# --no-deps: the lock is whole, and some Solana packages ask for older ones than they need (pyproject.toml, tool.uv).
COPY requirements.lock ./
RUN pip install --require-hashes --no-deps --only-binary=:all: -r requirements.lock
COPY . .
# The build backend comes hash-locked too (it stands in the development lock). Editable, because templates, migrations
# and contracts are read from the tree. pip and the backend then go: nothing installs packages at run time.
RUN awk '/^setuptools==/{p=1} p{print} p&&!/\\$/{exit}' requirements-dev.lock > /tmp/build.lock \
    && pip install --require-hashes -r /tmp/build.lock \
    && pip install --no-deps --no-build-isolation --editable . \
    && pip uninstall --yes setuptools pip \
    && python -m compileall -q /opt/venv/lib /app

FROM ${PYTHON_IMAGE}
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Holdfast" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.revision="${REVISION}"
# libpq5 brings what the copied client links to; the copied libpq in /usr/local/lib takes precedence over Debian's.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libpq5 libreadline8 liblz4-1 libzstd1 \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 holdfast \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin holdfast \
    && install --directory --owner=10001 --group=10001 --mode=0700 /backups
COPY --from=pgclient /out/bin/ /usr/local/bin/
COPY --from=pgclient /out/lib/ /usr/local/lib/
RUN ldconfig && pg_dump --version | grep -q ' 16\.' && pg_restore --version && psql --version
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
ENV PATH=/opt/venv/bin:$PATH PYTHONPATH=/app PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /app
# Code is root's, the process is not: it cannot change what it runs.
USER 10001:10001
EXPOSE 8000 9464
CMD ["python", "server.py"]
