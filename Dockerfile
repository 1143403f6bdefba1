# Two images of one source: `api` (HTTP API, Flower, download worker: neither TensorFlow nor
# NumPy) and `worker` (runtimes, and TensorFlow to install and publish models).
#
#   docker build --target api --tag petiole-api .
#   docker build --target worker --tag petiole-worker .
#
# With `--build-arg TRACES=true` they can send traces (docs/operations.md).

FROM python:3.11-slim-bookworm AS base
ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1


# The rooms of the house, laid out in /app as `pip install` would lay them out elsewhere.
FROM base AS source
WORKDIR /source
COPY requirements/bootstrap.lock requirements/
RUN pip install --no-cache-dir --require-hashes --requirement requirements/bootstrap.lock
COPY pyproject.toml README.md LICENSE celeryconfig.py flowerconfig.py ./
COPY api api
COPY tasks tasks
COPY model_store model_store
COPY training training
COPY petiole petiole
# The scripts made here begin with the interpreter that makes them, so it is the final one.
RUN python -m venv --without-pip /opt/venv \
    && pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheels . \
    && pip --python /opt/venv/bin/python install --no-cache-dir --no-deps --no-index \
        --no-compile --target /app /wheels/*.whl \
    && cp celeryconfig.py flowerconfig.py /app/


FROM base AS api-packages
ARG TRACES=false
COPY requirements/api.lock requirements/traces.lock /
RUN python -m venv --without-pip /opt/venv \
    && pip --python /opt/venv/bin/python install --no-cache-dir --require-hashes \
        --requirement /api.lock \
    && if [ "$TRACES" = true ]; then pip --python /opt/venv/bin/python install --no-cache-dir \
        --require-hashes --requirement /traces.lock; fi


FROM base AS worker-packages
ARG TRACES=false
COPY requirements/worker.lock requirements/traces.lock /
# The C++ headers of TensorFlow are a quarter of a gigabyte that nothing here compiles against.
RUN python -m venv --without-pip /opt/venv \
    && pip --python /opt/venv/bin/python install --no-cache-dir --require-hashes \
        --requirement /worker.lock \
    && if [ "$TRACES" = true ]; then pip --python /opt/venv/bin/python install --no-cache-dir \
        --require-hashes --requirement /traces.lock; fi \
    && rm -rf /opt/venv/lib/python3.11/site-packages/tensorflow/include


FROM base AS runtime
# HOME lies in /tmp, the only place that can be written to under a read-only root file system.
ENV PATH=/opt/venv/bin:/app/bin:$PATH \
    PYTHONPATH=/app \
    HOME=/tmp \
    PETIOLE_TASKS_IMAGE_STORE_URL=/srv/petiole/uploads \
    PETIOLE_MODELS_STORE_URL=/srv/petiole/models \
    PETIOLE_MODELS_CACHE_DIRECTORY=/tmp/model-cache
# New volumes take the owner of the directory that they are mounted on.
RUN useradd --uid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin petiole \
    && install -d -o petiole -g petiole /srv/petiole/uploads /srv/petiole/models \
        /srv/petiole/training
WORKDIR /app
LABEL org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="0.2.0"


FROM runtime AS worker
LABEL org.opencontainers.image.title="petiole-worker" \
      org.opencontainers.image.description="Classify worker and model tools of Petiole"
COPY --from=worker-packages /opt/venv /opt/venv
COPY --from=source /app /app
USER 10001
CMD ["python", "-m", "celery", "-A", "tasks", "worker", "-Q", "classify", "-n", "classify@%h", \
     "-l", "INFO", "--without-gossip", "--without-mingle"]


FROM runtime AS api
LABEL org.opencontainers.image.title="petiole-api" \
      org.opencontainers.image.description="HTTP API, Flower and download worker of Petiole"
ENV PETIOLE_API_HOST=0.0.0.0
COPY --from=api-packages /opt/venv /opt/venv
COPY --from=source /app /app
USER 10001
EXPOSE 8000 5555
CMD ["python", "-m", "gunicorn", "--config", "python:api.gunicorn_conf", "api:create_app()"]
