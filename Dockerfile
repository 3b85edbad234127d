# The one image of Ganymede: service, workers and migration are commands of it.
#
#   docker build --build-arg TORCH=cpu --build-arg TORCH_INDEX=… --tag ganymede:cpu .
#   docker build --build-arg TORCH=cuda --tag ganymede:cuda .
#
# TORCH        which build of PyTorch: `cpu` (small) or `cuda` (also runs without a GPU)
# TORCH_INDEX  a further package index to look for it in; docs/deployment.md says when one is needed

FROM python:3.12-slim-bookworm AS base
RUN groupadd --gid 10001 ganymede \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin ganymede \
 && install --directory --owner=ganymede --group=ganymede /data \
 && python -m venv /opt/ganymede
ENV PATH=/opt/ganymede/bin:$PATH


FROM base AS wheel
WORKDIR /source
COPY constraints.txt ./
RUN pip install --no-cache-dir --disable-pip-version-check --constraint constraints.txt setuptools
COPY pyproject.toml README.md ./
COPY gan/ gan/
COPY ledger/ ledger/
COPY service/ service/
COPY worker/ worker/
COPY ganymede/ ganymede/
RUN pip wheel --no-deps --no-build-isolation --wheel-dir /wheels .


FROM base
WORKDIR /opt/ganymede

# Each layer is made again only when what it needs has changed: PyTorch (by far the largest), the other packages, Ganymede.
COPY constraints.txt ./
ARG TORCH=cpu
ARG TORCH_INDEX
RUN version=$(sed -n 's/^torch==//p' constraints.txt) \
 && case "$TORCH" in \
      cpu) torch="torch==$version+cpu" ;; \
      cuda) torch="torch==$version,!=$version+cpu" ;; \
      *) echo "TORCH is cpu or cuda, not '$TORCH'" >&2; exit 2 ;; \
    esac \
 && { pip install --no-cache-dir --disable-pip-version-check --constraint constraints.txt \
        ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} "$torch" \
      || { echo "no $torch was found: TORCH=$TORCH may need a TORCH_INDEX, see docs/deployment.md" >&2; exit 1; }; }
COPY pyproject.toml ./
RUN python -c "import tomllib; project = tomllib.load(open('pyproject.toml', 'rb'))['project']; \
    print(*project['dependencies'], *project['optional-dependencies']['server'], sep='\n')" > requirements.txt \
 && pip install --no-cache-dir --disable-pip-version-check --constraint constraints.txt --requirement requirements.txt
COPY --from=wheel /wheels/ wheels/
RUN pip install --no-cache-dir --disable-pip-version-check --no-deps wheels/*.whl

# One thread for whatever is not told otherwise: training and serving set their own number (GANYMEDE_*_THREADS). In its
# container the service listens beyond loopback, which it does only where keys are required.
ENV GANYMEDE_DATA=/data \
    GANYMEDE_API_KEYS_REQUIRED=true \
    OMP_NUM_THREADS=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONSAFEPATH=1 \
    PYTHONUNBUFFERED=1
WORKDIR /data
VOLUME ["/data"]
EXPOSE 8000
STOPSIGNAL SIGTERM
USER 10001:10001
CMD ["ganymede", "up", "--host", "0.0.0.0"]
